-- Where the times of a batch's readings come from: null while all of them are the devices' plain time.
alter table ingest_batch add column sources smallint[];
alter table ingest_batch alter column sources set storage external;
drop function append_ingest_batch(bigint[], timestamptz[], double precision[], smallint[], timestamptz[], jsonb);
create function append_ingest_batch(p_ids bigint[], p_times timestamptz[], p_values double precision[], p_qcs smallint[], p_sources smallint[],
    p_received timestamptz[], p_statuses jsonb)
returns bigint language plpgsql set lock_timeout = '5s' as $$
declare n bigint;
begin
    perform pg_advisory_xact_lock(7043, 2);
    n := nextval('ingest_batch_seq');
    insert into ingest_batch (seq, at, datastream_ids, times, values, qcs, sources, received, statuses)
    values (n, clock_timestamp(), p_ids, p_times, p_values, p_qcs, p_sources, p_received, p_statuses);
    return n;
end $$;
