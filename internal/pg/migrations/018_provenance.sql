-- tile_number: every reader of a tile has the number as it is. A float64 holds it, and it is not one of those that ST_AsMVT
-- takes for a whole number because they are nearer to it than 2^-23.
create function tile_number(n numeric) returns boolean language sql immutable parallel safe as $$
    select case
        when abs(n) > 9007199254740992 then false
        when n % 1 <> 0 and abs(n - round(n)) < 1e-6 then false
        else (n::float8)::text::numeric = n end
$$;

-- ── where a feature comes from ────────────────────────────────────────────────────────────────
-- source is an import's, and empty for what was drawn by hand. by_hand is what people did since, and when: risk.ByHand,
-- {"drawn": {"by", "at"}, "moved": …, "edited": …}. An import that writes the feature empties it.
alter table feature add column by_hand jsonb not null default '{}';
-- What was drawn until now bears its layer's source, which is not where it comes from. Nobody wrote down who drew it.
update feature set source = '', by_hand = '{"drawn": {"by": ""} }' where source_key ~ '^onemap-[A-Z2-7]{26}$';

-- ── the history of each feature ───────────────────────────────────────────────────────────────
-- before and after hold the members that differ, as feature_said names them, and of fields those fields alone; the
-- geometries are there when they differ. Of what an import creates there is the row alone: what it was then is the before
-- of the next row, or the feature itself.
create table feature_history (
    id            bigint generated always as identity primary key,
    layer_id      int not null,              -- no reference, like feature_id: it outlives the feature
    feature_id    bigint not null,
    at            timestamptz not null,
    kind          text not null check (kind in ('created', 'updated', 'deleted')),
    via           text not null check (via in ('hand', 'import', 'database')),
    actor         text not null,             -- by hand a login; in the database a role of it
    source        text not null,             -- of an import
    old_division  text,
    new_division  text,
    before        jsonb,
    after         jsonb,
    old_geom      geometry(Geometry, 4326),
    new_geom      geometry(Geometry, 4326)
);
create index on feature_history (layer_id, feature_id, id);
create trigger immutable before update on feature_history for each row execute function refuse_change();

-- onemap says by transaction-local settings who changes features; what says nothing is a session in the database.
create function feature_changed_by(out via text, out actor text, out at timestamptz) language sql stable as $$
    select case when x.actor <> '' then 'hand' when x.import = 'on' then 'import' else 'database' end,
        case when x.actor <> '' then x.actor when x.import = 'on' then '' else session_user end,
        coalesce(x.at::timestamptz, clock_timestamp())
    from (
        select coalesce(current_setting('onemap.actor', true), '') as actor, coalesce(current_setting('onemap.import', true), '') as import,
            nullif(current_setting('onemap.at', true), '') as at
    ) x
$$;
create function feature_said(division text, name_zh text, name_en text, level smallint, origin text, source text, properties jsonb)
returns jsonb language sql immutable parallel safe as $$
    select jsonb_build_object('division', division, 'name', jsonb_build_object('zh', name_zh, 'en', name_en), 'level', level,
        'origin', origin, 'source', source, 'fields', properties)
$$;
-- members_beside: those of a that b does not have with the same value, written the same
create function members_beside(a jsonb, b jsonb) returns jsonb language sql immutable parallel safe as $$
    select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(a) where value::text is distinct from (b -> key)::text
$$;
create function said_beside(a jsonb, b jsonb) returns jsonb language sql immutable parallel safe as $$
    select case when b ? 'fields' and d ? 'fields' then jsonb_set(d, '{fields}', members_beside(a -> 'fields', b -> 'fields')) else d end
    from members_beside(a, b) d
$$;

create function feature_insert_kept() returns trigger language plpgsql set search_path from current as $$
begin
    insert into feature_history (layer_id, feature_id, at, kind, via, actor, source, new_division, after, new_geom)
    select layer_id, id, b.at, 'created', b.via, b.actor, case b.via when 'import' then source else '' end, division_code,
        case when b.via <> 'import' then feature_said(division_code, name_zh, name_en, level, origin, source, properties) end,
        case when b.via <> 'import' then geom end
    from new_rows, feature_changed_by() b;
    return null;
end $$;
-- A layer that has just been deleted takes its features with it, and their history is asked of nobody.
create function feature_delete_kept() returns trigger language plpgsql set search_path from current as $$
begin
    insert into feature_history (layer_id, feature_id, at, kind, via, actor, source, old_division, before, old_geom)
    select layer_id, id, b.at, 'deleted', b.via, b.actor, '', division_code,
        feature_said(division_code, name_zh, name_en, level, origin, source, properties), geom
    from old_rows, feature_changed_by() b where layer_id in (select l.id from layer l);
    return null;
end $$;
-- The join is a full one for the reasons of feature_updated.
create function feature_update_kept() returns trigger language plpgsql set search_path from current as $$
begin
    insert into feature_history (layer_id, feature_id, at, kind, via, actor, source, old_division, new_division, before, after, old_geom, new_geom)
    select layer_id, id, b.at, case when old_said is null then 'created' when new_said is null then 'deleted' else 'updated' end, b.via, b.actor,
        case b.via when 'import' then coalesce(new_source, '') else '' end, old_division, new_division,
        said_beside(old_said, coalesce(new_said, '{}')), said_beside(new_said, coalesce(old_said, '{}')),
        case when moved then old_geom end, case when moved then new_geom end
    from feature_changed_by() b, (
        select layer_id, id, o.division_code as old_division, n.division_code as new_division, n.source as new_source, o.geom as old_geom, n.geom as new_geom,
            case when o.source_key is not null then
                feature_said(o.division_code, o.name_zh, o.name_en, o.level, o.origin, o.source, o.properties) end as old_said,
            case when n.source_key is not null then
                feature_said(n.division_code, n.name_zh, n.name_en, n.level, n.origin, n.source, n.properties) end as new_said,
            ST_AsEWKB(o.geom) is distinct from ST_AsEWKB(n.geom) as moved
        from old_rows o full join new_rows n using (layer_id, id)
    ) u
    where moved or old_said::text is distinct from new_said::text;
    return null;
end $$;

create trigger feature_insert_kept after insert on feature referencing new table as new_rows
    for each statement execute function feature_insert_kept();
create trigger feature_update_kept after update on feature referencing old table as old_rows new table as new_rows
    for each statement execute function feature_update_kept();
create trigger feature_delete_kept after delete on feature referencing old table as old_rows
    for each statement execute function feature_delete_kept();
