-- Silences and maintenance windows. Their rows are kept: who made one and who ended it is their history.
create table silence (
    id             bigint generated always as identity primary key,
    kind           text not null check (kind in ('silence', 'maintenance')),
    device_id      text not null default '',   -- these three narrow; at least one is not empty
    type           text not null default '',
    division_code  text not null default '',
    divisions      text[] not null,            -- whom it concerns; empty is the city alone
    level          smallint not null check (level between 1 and 4),
    reason         text not null,
    owner          text not null,
    owner_name     text not null default '',
    starts         timestamptz not null,
    ends           timestamptz not null,
    created_at     timestamptz not null,
    ended_at       timestamptz,
    ended_by       text not null default '',
    check (device_id <> '' or type <> '' or division_code <> ''),
    check (ends > starts and ends <= starts + interval '7 days')
);
create index silence_ends on silence (ends);

-- What the history of alerts is narrowed by without reading the bodies.
alter table alert add column hazard text generated always as (coalesce(body->>'hazard', '')) stored;
create index alert_opened on alert (opened_at);
