-- What the tile engine needs: how each layer is drawn, and the feed of what changed.

alter table layer add column tile jsonb not null default '{}';   -- core.TileRules
-- until now the page gathered this layer's points itself
update layer set tile = jsonb_build_object('cluster', jsonb_build_object('cell', 1024, 'to_zoom', 10)) where name = 'risk_source' and geometry_type = 'Point';

-- ── the change feed: what each commit changed, on which tiles depend ──────────────────────────
-- One row a statement, layer and at most 1,000 features. No order, no lock: a reader holds a
-- snapshot and asks for the rows of the transactions that it does not see (store/changefeed.go).
-- ids, boxes and divisions go together. A box is west, south, east, north; NaN is none. A null array
-- of boxes or divisions is none for every feature: there was nothing before an insert.
create table feature_change (
    id             bigint generated always as identity primary key,
    xid            xid8 not null default pg_current_xact_id(),
    at             timestamptz not null default clock_timestamp(),
    layer_id       int not null,            -- no reference: it outlives its layer
    kind           text not null check (kind in ('features', 'entry', 'whole')),
    ids            bigint[],
    old_boxes      double precision[],
    new_boxes      double precision[],
    old_divisions  text[],
    new_divisions  text[]
);
create index feature_change_xid on feature_change (xid);
-- boxes do not shrink, and trying to shrink them costs more than the trigger does
alter table feature_change alter column old_boxes set storage external, alter column new_boxes set storage external,
    alter column ids set storage external;

-- Pruning deletes what its last run saw already, so that each row has been there to be read for an
-- interval at least.
create table change_horizon (
    one      boolean primary key default true check (one),
    epoch    text not null default '',      -- of the two snapshots; another one's mean nothing
    seen     pg_snapshot,                   -- what the last run saw
    seen_at  timestamptz,
    gone     pg_snapshot                    -- sees every row that has been deleted
);
insert into change_horizon default values;

-- snapshot_sees: everything that older sees is seen by s, too
create function snapshot_sees(s pg_snapshot, older pg_snapshot) returns boolean language sql immutable parallel safe as $$
    select pg_snapshot_xmax(s) >= pg_snapshot_xmax(older)
        and not exists (select from pg_snapshot_xip(s) x where pg_visible_in_snapshot(x, older))
$$;

-- feature_box: PostGIS keeps the box of all but points with the geometry, rounded outwards
create function feature_box(b box2d) returns double precision[] language sql immutable parallel safe as $$
    select array[coalesce(ST_XMin(b), 'NaN'), coalesce(ST_YMin(b), 'NaN'), coalesce(ST_XMax(b), 'NaN'), coalesce(ST_YMax(b), 'NaN')]
$$;

-- onemap's own transactions count a layer anew and raise its version themselves, and say so by this
-- setting; for everybody else the triggers keep the catalogue. They write no event: its lock is held
-- to the commit, and a session in psql may stay open for hours.
create function keeps_layer() returns boolean language sql stable as $$
    select coalesce(current_setting('onemap.keeps_layer', true), '') = 'on'
$$;
create function layer_touched(p_layer int, p_more bigint, p_box box2d) returns void language sql as $$
    update layer set version = version + 1, modified_at = clock_timestamp(), feature_count = greatest(feature_count + p_more, 0),
        bbox = case when p_box is null then bbox else array[
            least(bbox[1], ST_XMin(p_box)), least(bbox[2], ST_YMin(p_box)), greatest(bbox[3], ST_XMax(p_box)), greatest(bbox[4], ST_YMax(p_box))] end
    where id = p_layer
$$;

-- The triggers are of statements, with the rows before and after: they cost little, and nobody who
-- writes can get round them by accident. They find the tables wherever the writer's search_path leads.
create function feature_inserted() returns trigger language plpgsql set search_path from current as $$
begin
    insert into feature_change (layer_id, kind, ids, new_boxes, new_divisions)
    select layer_id, 'features', array_agg(id), array_agg(feature_box(box)), array_agg(division_code)
    from (select layer_id, id, geom::box2d as box, division_code, (row_number() over () - 1) / 1000 as part from new_rows) n
    group by layer_id, part;
    if not found then return null; end if;
    perform pg_notify('onemap_change', '');
    if not keeps_layer() then
        perform layer_touched(layer_id, n, e::box2d)
        from (select layer_id, count(*) as n, ST_Extent(geom) as e from new_rows group by layer_id order by layer_id) d;
    end if;
    return null;
end $$;

-- A layer that has just been deleted takes its features with it: its entry says enough.
create function feature_deleted() returns trigger language plpgsql set search_path from current as $$
begin
    insert into feature_change (layer_id, kind, ids, old_boxes, old_divisions)
    select layer_id, 'features', array_agg(id), array_agg(feature_box(box)), array_agg(division_code)
    from (
        select layer_id, id, geom::box2d as box, division_code, (row_number() over () - 1) / 1000 as part
        from old_rows where layer_id in (select l.id from layer l)
    ) o
    group by layer_id, part;
    if not found then return null; end if;
    perform pg_notify('onemap_change', '');
    if not keeps_layer() then
        perform layer_touched(layer_id, -n, null)
        from (select layer_id, count(*) as n from old_rows group by layer_id order by layer_id) d;
    end if;
    return null;
end $$;

-- An update may move a feature to another layer, or give it another id: then it is gone from where
-- it was and new where it is. The join is a full one also because that is never done by nested
-- loops: the plan is kept from a session's first update, of one row perhaps, to one of all.
create function feature_updated() returns trigger language plpgsql set search_path from current as $$
begin
    insert into feature_change (layer_id, kind, ids, old_boxes, new_boxes, old_divisions, new_divisions)
    select layer_id, 'features', array_agg(id), array_agg(feature_box(old_box)), array_agg(feature_box(new_box)),
        array_agg(coalesce(old_division, '')), array_agg(coalesce(new_division, ''))
    from (
        select layer_id, id, o.geom::box2d as old_box, n.geom::box2d as new_box,
            o.division_code as old_division, n.division_code as new_division, (row_number() over () - 1) / 1000 as part
        from old_rows o full join new_rows n using (layer_id, id)
    ) u
    group by layer_id, part;
    if not found then return null; end if;
    perform pg_notify('onemap_change', '');
    if not keeps_layer() then
        perform layer_touched(layer_id, n, e::box2d)
        from (
            select layer_id, sum(one) as n, ST_Extent(geom) as e
            from (select layer_id, 1 as one, geom from new_rows union all select layer_id, -1, null from old_rows) r
            group by layer_id order by layer_id
        ) d;
    end if;
    return null;
end $$;

-- before it happens: truncating layers as well leaves none to name afterwards
create function feature_truncated() returns trigger language plpgsql set search_path from current as $$
begin
    insert into feature_change (layer_id, kind) select id, 'whole' from layer;
    perform pg_notify('onemap_change', '');
    if not keeps_layer() then
        update layer set version = version + 1, modified_at = clock_timestamp(), feature_count = 0, bbox = null;
    end if;
    return null;
end $$;

create trigger feature_inserted after insert on feature referencing new table as new_rows
    for each statement execute function feature_inserted();
create trigger feature_updated after update on feature referencing old table as old_rows new table as new_rows
    for each statement execute function feature_updated();
create trigger feature_deleted after delete on feature referencing old table as old_rows
    for each statement execute function feature_deleted();
create trigger feature_truncated before truncate on feature
    for each statement execute function feature_truncated();

-- ── a layer's entry ───────────────────────────────────────────────────────────────────────────
create function layer_entry_changed() returns trigger language plpgsql set search_path from current as $$
begin
    insert into feature_change (layer_id, kind) values (coalesce(new.id, old.id), 'entry');
    perform pg_notify('onemap_change', '');
    return null;
end $$;
create function layers_truncated() returns trigger language plpgsql set search_path from current as $$
begin
    insert into feature_change (layer_id, kind) select id, 'entry' from layer;
    perform pg_notify('onemap_change', '');
    return null;
end $$;
-- who changes an entry by hand changes its version, which guards it against those who saw another
create function layer_entry_version() returns trigger language plpgsql set search_path from current as $$
begin
    if not keeps_layer() and new.version = old.version then
        new.version := old.version + 1;
        new.modified_at := clock_timestamp();
    end if;
    return new;
end $$;

create trigger layer_made after insert or delete on layer
    for each row execute function layer_entry_changed();
create trigger layer_entry_changed after update on layer for each row
    when ((old.name, old.title_zh, old.title_en, old.audience, old.audience_roles, old.geometry_type, old.min_zoom, old.max_zoom, old.fields, old.tile)
        is distinct from (new.name, new.title_zh, new.title_en, new.audience, new.audience_roles, new.geometry_type, new.min_zoom, new.max_zoom, new.fields, new.tile))
    execute function layer_entry_changed();
create trigger layer_entry_version before update on layer for each row
    when ((old.name, old.title_zh, old.title_en, old.audience, old.audience_roles, old.geometry_type, old.min_zoom, old.max_zoom, old.fields, old.tile)
        is distinct from (new.name, new.title_zh, new.title_en, new.audience, new.audience_roles, new.geometry_type, new.min_zoom, new.max_zoom, new.fields, new.tile))
    execute function layer_entry_version();
create trigger layers_truncated before truncate on layer
    for each statement execute function layers_truncated();
