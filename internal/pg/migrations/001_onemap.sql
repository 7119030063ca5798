-- onemap's tables. Times are timestamptz in UTC; geometry is EPSG:4326, lon/lat; division codes are
-- GB/T 2260 without padding. Levels: 1 red … 4 blue, 0 none.

create extension if not exists postgis;
create extension if not exists btree_gist;

-- ── identity of this database: an epoch that changes when it is restored elsewhere ────────────
create table instance (
    one         boolean primary key default true check (one),
    id          uuid not null default gen_random_uuid(),
    created_at  timestamptz not null default now()
);
insert into instance default values;

-- ── divisions ─────────────────────────────────────────────────────────────────────────────────
create table division (
    code        text primary key check (code ~ '^[0-9]{2,12}$'),
    name_zh     text not null,
    name_en     text not null default '',
    parent      text not null default '',
    search      text not null default '',
    valid_from  date,
    valid_to    date,
    successor   text,
    geom        geometry(Point, 4326)
);

-- what core.Scope says, in SQL: a thing of a division, and a thing addressed to divisions
create function scope_covers(scope text, code text) returns boolean language sql immutable parallel safe as $$
    select scope <> '' and (starts_with(code, scope) or (code = '' and length(scope) <= 4))
$$;
create function scope_covers_any(scope text, codes text[]) returns boolean language sql immutable parallel safe as $$
    select scope <> '' and case when cardinality(codes) = 0 then length(scope) <= 4 else
        exists (select from unnest(codes) c where scope_covers(scope, c) or (c <> '' and starts_with(scope, c))) end
$$;

-- ── people ────────────────────────────────────────────────────────────────────────────────────
create table account (
    id             bigint generated always as identity primary key,
    login          text not null unique check (login ~ '^[a-z0-9._-]{2,64}$'),
    name           text not null,
    role           text not null check (role in ('city_commander', 'county_responder', 'data_steward', 'observer', 'administrator')),
    division_code  text not null,
    password_hash  text not null,
    disabled       boolean not null default false,
    failed_logins  int not null default 0,
    failed_at      timestamptz,
    created_at     timestamptz not null default now(),
    version        bigint not null default 1
);
create table session (
    id            bigint generated always as identity primary key,
    token_sha256  bytea not null unique,
    account_id    bigint not null references account on delete cascade,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    last_seen     timestamptz not null default now(),
    revoked_at    timestamptz,
    remote        text not null default '',
    agent         text not null default ''
);
create index on session (account_id);

-- ── the event log: what a person must not miss, in commit order ───────────────────────────────
create sequence event_seq;
create table event_log (
    seq        bigint primary key,
    at         timestamptz not null,
    kind       text not null,
    divisions  text[] not null default '{}',   -- addressed to; empty is the city alone
    roles      text[],                         -- null is every role
    subject    text not null default '',
    actor      text not null default '',
    payload    jsonb not null default '{}'
);
create index on event_log (subject, seq);
-- rows up to seq have been pruned: who was last here at less must take a full snapshot
create table event_horizon (
    one  boolean primary key default true check (one),
    seq  bigint not null default 0
);
insert into event_horizon default values;

-- append_event gives seq under a lock of its own that is held to the commit, so commit order is seq
-- order: who has seen n has seen all below n. Call it last in a transaction. NOTIFY carries nothing.
create function append_event(p_kind text, p_divisions text[], p_roles text[], p_subject text, p_actor text, p_payload jsonb)
returns bigint language plpgsql set lock_timeout = '5s' as $$
declare n bigint;
begin
    perform pg_advisory_xact_lock(7043, 1);
    n := nextval('event_seq');
    insert into event_log (seq, at, kind, divisions, roles, subject, actor, payload)
    values (n, clock_timestamp(), p_kind, coalesce(p_divisions, '{}'), p_roles, p_subject, p_actor, p_payload);
    perform pg_notify('onemap_event', '');
    return n;
end $$;

-- ── the catalogue and its features ────────────────────────────────────────────────────────────
create table layer (
    id              int generated always as identity primary key,
    name            text not null unique check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    theme           text not null,
    title_zh        text not null,
    title_en        text not null,
    owner_zh        text not null default '',
    owner_en        text not null default '',
    origin          text not null check (origin in ('real', 'schematic', 'synthetic', 'fact-table')),
    audience        text not null default 'public' check (audience in ('public', 'roles', 'division')),
    audience_roles  text[] not null default '{}',
    source          text not null default '',
    licence         text not null default '',
    attribution     text not null default '',
    updated_on      date not null default current_date,
    cycle_days      int not null default 0,
    geometry_type   text not null default 'Geometry',
    min_zoom        smallint not null default 0,
    max_zoom        smallint not null default 14,
    fields          jsonb not null default '[]',
    version         bigint not null default 1,
    feature_count   bigint not null default 0,
    bbox            double precision[],
    modified_at     timestamptz not null default now()
);
create table feature (
    id             bigint generated always as identity primary key,
    layer_id       int not null references layer on delete cascade,
    source_key     text not null,
    division_code  text not null default '',
    name_zh        text not null default '',
    name_en        text not null default '',
    level          smallint not null default 0 check (level between 0 and 4),
    origin         text not null check (origin in ('real', 'schematic', 'synthetic', 'fact-table')),
    source         text not null default '',
    properties     jsonb not null default '{}',
    search         text not null default '',   -- lower-cased names, pinyin, initials, key
    geom           geometry(Geometry, 4326) not null,
    modified_at    timestamptz not null default now(),
    unique (layer_id, source_key)
);
create index feature_place on feature using gist (layer_id, geom);

-- ── devices and datastreams ───────────────────────────────────────────────────────────────────
create table hazard_type (
    code            text primary key,
    title_zh        text not null,
    title_en        text not null,
    sector          text not null,
    cap_category    text not null,
    radius_m        double precision not null check (radius_m > 0),
    instruction_zh  text not null default '',
    instruction_en  text not null default '',
    lead_minutes    int not null default 120 check (lead_minutes > 0)
);
create table retention_class (
    code  text primary key check (code ~ '^[a-z]{1,16}$'),
    keep_months int not null check (keep_months > 0)
);
insert into retention_class values ('short', 3), ('standard', 24), ('long', 120);
create table datastream_type (
    code         text primary key,
    title_zh     text not null,
    title_en     text not null,
    unit         text not null,      -- UCUM
    symbol       text not null,
    hazard_type  text not null references hazard_type,
    gross_min    double precision not null,
    gross_max    double precision not null check (gross_max > gross_min),
    decimals     smallint not null default 2,
    interval_s   int not null default 60 check (interval_s > 0),
    retention    text not null default 'standard' references retention_class
);
create table device (
    id             text primary key check (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    division_code  text not null,
    name_zh        text not null,
    name_en        text not null default '',
    hazard_type    text not null references hazard_type,
    site           text not null default '',
    geom           geometry(Point, 4326) not null,
    secret_sha256  bytea not null,
    origin         text not null check (origin in ('real', 'schematic', 'synthetic', 'fact-table')),
    source         text not null default '',
    enabled        boolean not null default true,
    online         boolean not null default false,
    status_at      timestamptz,
    last_seen      timestamptz,
    search         text not null default '',
    created_at     timestamptz not null default now()
);
create table datastream (
    id         bigint generated always as identity primary key,
    device_id  text not null references device on delete cascade,
    name       text not null,
    type       text not null references datastream_type,
    title_zh   text not null default '',
    title_en   text not null default '',
    unique (device_id, name)
);

-- ── observations ──────────────────────────────────────────────────────────────────────────────
-- Partitioned LIST by retention class, then RANGE by month; no DEFAULT partition; the missing ones
-- are made on write.
create table observation (
    retention      text not null,
    datastream_id  bigint not null,
    ts             timestamptz not null,
    value          double precision not null,
    qc             smallint not null default 2,
    time_source    smallint not null default 1,
    seq            bigint not null,             -- arrival order, of this table alone
    received_at    timestamptz not null,
    primary key (retention, datastream_id, ts)
) partition by list (retention);
create table observation_short    partition of observation for values in ('short')    partition by range (ts);
create table observation_standard partition of observation for values in ('standard') partition by range (ts);
create table observation_long     partition of observation for values in ('long')     partition by range (ts);
create sequence observation_seq;

create table latest (
    datastream_id  bigint primary key references datastream on delete cascade,
    ts             timestamptz not null,
    value          double precision not null,
    qc             smallint not null,
    time_source    smallint not null,
    received_at    timestamptz not null
) with (fillfactor = 50);

-- the same datastream and time again with another value: kept, and shown
create table observation_conflict (
    id             bigint generated always as identity primary key,
    datastream_id  bigint not null,
    ts             timestamptz not null,
    value          double precision not null,
    received_at    timestamptz not null,
    unique (datastream_id, ts, value)      -- a redelivery of the same conflict is not a second one
);

-- one row a commit, seq under a lock held to the commit: what rules and live state are made from.
create sequence ingest_batch_seq;
create table ingest_batch (
    seq             bigint primary key,
    at              timestamptz not null,
    datastream_ids  bigint[] not null,
    times           timestamptz[] not null,
    values          double precision[] not null,
    qcs             smallint[] not null,
    received        timestamptz[] not null,
    statuses        jsonb not null default '[]'
);
create function append_ingest_batch(p_ids bigint[], p_times timestamptz[], p_values double precision[], p_qcs smallint[], p_received timestamptz[], p_statuses jsonb)
returns bigint language plpgsql set lock_timeout = '5s' as $$
declare n bigint;
begin
    perform pg_advisory_xact_lock(7043, 2);
    n := nextval('ingest_batch_seq');
    insert into ingest_batch values (n, clock_timestamp(), p_ids, p_times, p_values, p_qcs, p_received, p_statuses);
    return n;
end $$;

create table quarantine (
    id         bigint generated always as identity primary key,
    at         timestamptz not null,
    device_id  text not null default '',
    topic      text not null,
    reason     text not null,
    detail     text not null,
    payload    bytea not null,       -- raw, up to the cap
    size       int not null
);
create index on quarantine (at);

-- ── rules and alerts ──────────────────────────────────────────────────────────────────────────
create table rule (
    id             bigint generated always as identity primary key,
    name_zh        text not null,
    name_en        text not null default '',
    type           text not null references datastream_type,
    datastream_id  bigint references datastream on delete cascade,
    direction      text not null check (direction in ('above', 'below')),
    thresholds     jsonb not null,
    for_seconds    int not null default 0 check (for_seconds >= 0),
    enabled        boolean not null default true,
    deleted        boolean not null default false,
    origin         text not null default 'real',
    version        bigint not null default 1,
    updated_at     timestamptz not null default now(),
    updated_by     text not null default ''
);
create table rule_cursor (
    one  boolean primary key default true check (one),
    seq  bigint not null default 0
);
insert into rule_cursor default values;
create table rule_state (
    rule_id        bigint not null references rule on delete cascade,
    datastream_id  bigint not null references datastream on delete cascade,
    detection      text not null,
    level          smallint not null default 0,
    pending_level  smallint not null default 0,
    pending_since  timestamptz,
    last_time      timestamptz,
    last_value     double precision not null default 0,
    alert_id       bigint,
    raised         jsonb not null default '[]',   -- alerts.State.Raised: per level, since when
    rule_version   bigint not null default 0,
    primary key (rule_id, datastream_id)
) with (fillfactor = 50);

create table alert (
    id             bigint generated always as identity primary key,
    rule_id        bigint not null references rule,
    datastream_id  bigint not null,
    device_id      text not null,
    detection      text not null check (detection in ('firing', 'recovering', 'cleared', 'stale')),
    handling       text not null default 'new' check (handling in ('new', 'acknowledged', 'assigned', 'resolved', 'closed')),
    level          smallint not null check (level between 1 and 4),
    peak_level     smallint not null check (peak_level between 1 and 4),
    division_code  text not null,
    divisions      text[] not null,
    onset          timestamptz not null,
    opened_at      timestamptz not null,
    updated_at     timestamptz not null,
    cleared_at     timestamptz,
    assignee       text not null default '',
    body           jsonb not null,     -- the wire shape, rewritten with every change
    geom           geometry(Polygon, 4326),
    version        bigint not null default 1
);
-- one open episode of a rule on a datastream: an alert can never be doubled
create unique index alert_open on alert (rule_id, datastream_id) where detection <> 'cleared';
create index on alert (device_id);
create index alert_unfinished on alert (id) where detection <> 'cleared' or handling <> 'closed';

create table cap_message (
    identifier  text primary key,
    alert_id    bigint not null references alert,
    msg_type    text not null check (msg_type in ('Alert', 'Update', 'Cancel')),
    sent        timestamptz not null,
    expires     timestamptz not null,
    xml         bytea not null
);
create index on cap_message (alert_id, sent);
create index on cap_message (expires);

create table alert_audit (
    id             bigint generated always as identity primary key,
    alert_id       bigint not null references alert,
    at             timestamptz not null,
    actor          text not null default '',
    division_code  text not null default '',
    step           text not null,
    before         text not null default '',
    after          text not null default '',
    note           text not null default ''
);
create index on alert_audit (alert_id, id);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% rows are immutable', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger immutable before update or delete on cap_message for each row execute function refuse_change();
create trigger immutable before update or delete on alert_audit for each row execute function refuse_change();
create trigger immutable before update on event_log for each row execute function refuse_change();

-- ── push: who is connected, and what their machines have received ─────────────────────────────
create table push_client (
    client_id      text primary key,      -- made by the browser, kept by it
    node           text not null,
    account_id     bigint not null references account on delete cascade,
    division_code  text not null,
    connected_at   timestamptz not null,
    last_seen      timestamptz not null,
    connected      boolean not null default true
);
create table push_receipt (
    client_id    text not null,
    account_id   bigint not null references account on delete cascade,
    seq          bigint not null,          -- cumulative: everything visible up to here has arrived
    at           timestamptz not null,
    primary key (client_id, account_id)
);
create table alert_receipt (
    alert_id       bigint not null references alert,
    account_id     bigint not null references account on delete cascade,
    client_id      text not null,
    division_code  text not null,
    seq            bigint not null,        -- the event that brought it
    received_at    timestamptz not null,
    primary key (alert_id, account_id, client_id)
);
