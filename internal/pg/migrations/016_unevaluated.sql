-- The devices that are heard of and whose readings the rules do not look at, and since when: what was last told.
create table device_unevaluated (
    device_id  text primary key references device on delete cascade,
    reason     text not null check (reason in ('late', 'bad', 'quarantine')),
    since      timestamptz not null
);

create index on quarantine (device_id, at);
