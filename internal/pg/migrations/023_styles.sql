-- How a layer is drawn on the page, where that is not the built-in way.
alter table layer add column style jsonb;
comment on column layer.style is 'style fragment, as catalogue.ParseStyle checks it: {"from", "legend", "layers"}; null: the built-in style of the page';

-- A change of the style by hand changes the version, too. Tiles do not depend on the style: layer_entry_changed is as it was.
create or replace trigger layer_entry_version before update on layer for each row
    when ((old.name, old.title_zh, old.title_en, old.audience, old.audience_roles, old.geometry_type, old.min_zoom, old.max_zoom, old.fields, old.tile, old.style)
        is distinct from (new.name, new.title_zh, new.title_en, new.audience, new.audience_roles, new.geometry_type, new.min_zoom, new.max_zoom, new.fields, new.tile, new.style))
    execute function layer_entry_version();
