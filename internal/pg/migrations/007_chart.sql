-- What a chart needs to read its series from the key alone: the readings of one datastream lie one after
-- the other there, while in the table each lies where it arrived.
alter table observation drop constraint observation_pkey;
alter table observation add primary key (retention, datastream_id, ts) include (value, received_at, qc, time_source);

-- That they are not looked up in the table all the same, a month is vacuumed as it grows.
do $$
declare month regclass;
begin
    for month in select relid from pg_partition_tree('observation') where isleaf loop
        execute format('alter table %s set (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000)', month);
    end loop;
end $$;
