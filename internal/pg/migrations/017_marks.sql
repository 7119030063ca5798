-- A log that was restored gives out the same numbers again. So each event and each batch carries a random id, and a
-- position is a number with the id of its row: it proves which past it is of.
alter table event_log add column id uuid not null default gen_random_uuid();
alter table event_horizon add column id uuid;   -- of the event seq, the last that was pruned
update event_horizon set id = gen_random_uuid() where seq > 0;
alter table ingest_batch add column id uuid not null default gen_random_uuid();
alter table rule_cursor add column id uuid;     -- of the batch seq; null: not known

drop function append_ingest_batch(bigint[], timestamptz[], double precision[], smallint[], smallint[], timestamptz[], jsonb);
create function append_ingest_batch(p_ids bigint[], p_times timestamptz[], p_values double precision[], p_qcs smallint[], p_sources smallint[],
    p_received timestamptz[], p_statuses jsonb, p_id uuid default gen_random_uuid())
returns bigint language plpgsql set lock_timeout = '5s' as $$
declare n bigint;
begin
    perform pg_advisory_xact_lock(7043, 2);
    n := nextval('ingest_batch_seq');
    insert into ingest_batch (seq, id, at, datastream_ids, times, values, qcs, sources, received, statuses)
    values (n, p_id, clock_timestamp(), p_ids, p_times, p_values, p_qcs, p_sources, p_received, p_statuses);
    return n;
end $$;

-- A follower of the change feed leaves a witness after what it has read: while the witness is there, so is all that was
-- committed before it. A database that was put back to an earlier moment does not have it.
create table feed_witness (
    id  uuid primary key,
    at  timestamptz not null
);
create index on feed_witness (at);
