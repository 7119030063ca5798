-- What presence and silence needs.

-- a datastream's own pace; null is its type's
alter table datastream add column interval_s int check (interval_s between 1 and 604800);

-- what was last told of a device: device itself holds what the device said, this what came of that and of
-- silence. A device without a row was never seen.
create table device_presence (
    device_id  text primary key references device on delete cascade,
    online     boolean not null,
    reason     text not null check (reason in ('status', 'silence', 'late', 'reading')),
    since      timestamptz not null
) with (fillfactor = 70);
insert into device_presence select id, online, 'status', status_at from device where status_at is not null;

-- the datastreams that are stale, and since when: the effective time of the newest reading
create table datastream_silence (
    datastream_id  bigint primary key references datastream on delete cascade,
    reason         text not null check (reason in ('silence', 'late')),
    since          timestamptz not null
);

-- the nodes that take readings in: since when each hears without a break, when it last looked for silence,
-- and how many datastreams were stale and devices off line then
create table ingest_listener (
    node     text primary key,
    since    timestamptz not null,
    seen     timestamptz not null,
    looked   timestamptz not null default '-infinity',
    stale    int not null default 0,
    offline  int not null default 0
) with (fillfactor = 50);

create index on event_log (kind, seq);
create index on observation_conflict (datastream_id, id);
