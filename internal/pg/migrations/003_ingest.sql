-- What the ingest path needs to store a batch in one round trip.

-- observation_seq is taken in blocks of 65,536, one a commit of readings: within it, a row's place.
alter sequence observation_seq increment by 65536;

-- store_fresh stores readings, in the order of their key, that are all expected to be new, and moves the
-- newest of each datastream (n_…, in the order of the datastreams) forward, never back. When one was
-- there already it raises P0V01, and nothing is stored: the caller then finds out which. moved is how
-- many datastreams moved; late, how many rows belong to those that have a newer reading.
create function store_fresh(p_retentions text[], p_ids bigint[], p_times timestamptz[], p_values double precision[],
    p_qcs smallint[], p_sources smallint[], p_received timestamptz[], p_places int[],
    n_ids bigint[], n_times timestamptz[], n_values double precision[], n_qcs smallint[], n_sources smallint[], n_received timestamptz[])
returns int language plpgsql set lock_timeout = '5s' as $$
declare
    base bigint := nextval('observation_seq');
    n bigint;
    late int := 0;
begin
    insert into observation (retention, datastream_id, ts, value, qc, time_source, seq, received_at)
    select u.r, u.i, u.t, u.v, u.q, u.s, base + u.p, u.rec
    from unnest(p_retentions, p_ids, p_times, p_values, p_qcs, p_sources, p_received, p_places) as u (r, i, t, v, q, s, rec, p)
    on conflict do nothing;
    get diagnostics n = row_count;
    if n < cardinality(p_ids) then
        raise exception 'some of the readings are there already' using errcode = 'P0V01';
    end if;
    insert into latest (datastream_id, ts, value, qc, time_source, received_at)
    select * from unnest(n_ids, n_times, n_values, n_qcs, n_sources, n_received)
    on conflict (datastream_id) do update
    set ts = excluded.ts, value = excluded.value, qc = excluded.qc, time_source = excluded.time_source, received_at = excluded.received_at
    where excluded.ts > latest.ts;
    get diagnostics n = row_count;
    if n < cardinality(n_ids) then
        select count(*) into late from unnest(n_ids, n_times) as u (i, t)
        join latest l on l.datastream_id = u.i and l.ts > u.t
        join unnest(p_ids) as p (i) on p.i = u.i;
    end if;
    return late;
end $$;

-- the arrays of a batch do not shrink, and trying to shrink them costs more than writing them
alter table ingest_batch alter column datastream_ids set storage external, alter column times set storage external,
    alter column values set storage external, alter column qcs set storage external, alter column received set storage external;
