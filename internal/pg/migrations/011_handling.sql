-- What handling by level, peaks and the hold before clearing need. It fills the alerts that are there.

-- The level of the alert after each line of its history: the engine's lines say it, a person's step has
-- that of the engine's line before it.
alter table alert_audit add column level smallint not null default 0 check (level between 0 and 4);
alter table alert_audit disable trigger immutable;
update alert_audit set level = coalesce(array_position(array['red', 'orange', 'yellow', 'blue'], split_part(after, ' ', 2)), 0)
where actor = '' and after <> '';
update alert_audit u set level = v.level
from (
    select u.id, (
        select e.level from alert_audit e where e.alert_id = u.alert_id and e.id < u.id and e.level > 0 order by e.id desc limit 1
    ) as level
    from alert_audit u where u.actor <> ''
) v
where v.id = u.id and v.level is not null;
alter table alert_audit enable trigger immutable;

-- Since when each level's clear value is passed (alerts.State.Calm), and what the open episode has been through.
alter table rule add column hold_seconds int not null default 180 constraint rule_hold_seconds_check check (hold_seconds between 0 and 86400);
alter table rule_state add column calm jsonb not null default '[]';
alter table rule_state add column flaps int not null default 0;
alter table rule_state add column peak_value double precision not null default 0;
alter table rule_state add column peak_at timestamptz;

-- A level's number out of words like "firing red"; 0: none.
create function level_in(words text) returns int language sql immutable as
$$ select coalesce(array_position(array['red', 'orange', 'yellow', 'blue'], split_part(words, ' ', 2)), 0) $$;

-- The lines by which an alert's level rose, or its data came back, with the level before.
create table risen as
select id, alert_id, at, level, level_in(before) as level_before, before like 'stale %' as back
from alert_audit
where actor = '' and before <> '' and after !~ '^(cleared|stale) '
    and (before like 'stale %' or level < level_in(before));
create index on risen (alert_id, id);

-- What a unit's newest step was, and whether it still holds.
create table confirmed as
select distinct on (u.alert_id, u.division_code) u.alert_id, u.id,
    jsonb_build_object('division', u.division_code, 'user', u.actor, 'name', coalesce(p.name, u.actor), 'level', u.level, 'at', u.at,
        'current', not exists (select from risen r where r.alert_id = u.alert_id and r.id > u.id and (r.back or r.level < u.level))) as mark
from alert_audit u left join account p on p.login = u.actor
where u.actor <> ''
order by u.alert_id, u.division_code, u.id desc;

-- The worst value that the alert's messages or the alert itself tell, and when that was.
create table peak as
select distinct on (id) id, value, at from (
    select a.id, a.body->>'direction' = 'below' as below, (a.body->>'value')::float8 as value, a.body->>'value_at' as at
    from alert a
    union all
    select a.id, a.body->>'direction' = 'below', said.value::float8, to_jsonb(m.sent)#>>'{}'
    from cap_message m join alert a on a.id = m.alert_id,
        substring(convert_from(m.xml, 'UTF8') from '<valueName>value</valueName>\s*<value>(-?[0-9.]+)</value>') as said (value)
    where said.value is not null
) told
order by id, case when below then value else -value end, at;

update alert a set body = a.body || jsonb_build_object(
    'peak_value', p.value, 'peak_at', p.at, 'flaps', 0, 'reopened', null, 'confirmations', coalesce(c.marks, '[]'),
    'risen_at', coalesce(to_jsonb(r.at), a.body->'opened_at'), 'risen_from', coalesce(r.level_before, 0),
    'handled_level', case
        when a.handling = 'new' then 0
        when a.handling in ('resolved', 'closed') then greatest(h.level, h.mildest)
        else h.level end)
from peak p
    left join (select alert_id, jsonb_agg(mark order by id) as marks from confirmed group by 1) c on c.alert_id = p.id
    left join lateral (select * from risen where alert_id = p.id order by id desc limit 1) r on true
    left join lateral (
        select u.level, coalesce((select max(level) from alert_audit e where e.alert_id = u.alert_id and e.id > u.id and e.actor = ''), 0) as mildest
        from alert_audit u where u.alert_id = p.id and u.actor <> '' order by u.id desc limit 1
    ) h on true
where p.id = a.id;
update alert set body = body || '{"handled_level": 0}' where jsonb_typeof(body->'handled_level') = 'null';

update rule_state s set peak_value = p.value, peak_at = p.at::timestamptz from peak p where p.id = s.alert_id;

-- Handling begins anew for open alerts that have become worse since the last step, or whose data came back.
create table reopened as
select a.id, a.handling as was, a.assignee, a.level, (a.body->>'handled_level')::int as handled, bool_or(not r.back or r.level < r.level_before) as rose
from alert a
    join lateral (select max(id) as id from alert_audit where alert_id = a.id and actor <> '') h on true
    join risen r on r.alert_id = a.id and r.id > h.id
where a.detection <> 'cleared' and a.handling <> 'new'
    and (r.back or a.handling in ('resolved', 'closed') or r.level < (a.body->>'handled_level')::int)
group by a.id;

insert into alert_audit (alert_id, at, division_code, step, before, after, note, level)
select a.id, now(), a.division_code, 'reopened', o.was, 'new',
    case when o.rose then '处置后级别上升 / the level rose after it was handled' else '处置后数据中断又恢复 / the data stopped and came back after it was handled' end
        || case when o.assignee <> '' then '；此前交办 ' || o.assignee || ' / was assigned to ' || o.assignee else '' end, o.level
from reopened o join alert a on a.id = o.id;

update alert a set handling = 'new', assignee = '', version = a.version + 1, updated_at = now(),
    body = a.body || jsonb_build_object('handling', 'new', 'assignee', '', 'version', a.version + 1, 'updated_at', now(), 'handled_level', 0,
        'reopened', jsonb_build_object('at', now(), 'from', o.was, 'level', o.handled, 'why', case when o.rose then 'rise' else 'data' end),
        'confirmations', coalesce((select jsonb_agg(m || '{"current": false}') from jsonb_array_elements(a.body->'confirmations') m), '[]'))
from reopened o where o.id = a.id;

-- A sensor's alarm is no warning: the headlines of before said so.
update alert set body = jsonb_set(body, '{headline}', jsonb_build_object(
    'zh', regexp_replace(body->'headline'->>'zh', '(发布|解除)([^（]*)(红色|橙色|黄色|蓝色)预警（',
        case when detection = 'cleared' then '监测告警解除：' else '监测告警：' end || '\2\3（'),
    'en', regexp_replace(body->'headline'->>'en', ' (issues|lifts) (red|orange|yellow|blue) warning: ([^(]*) \(',
        case when detection = 'cleared' then ', monitoring alarm over: ' else ', monitoring alarm: ' end || '\3, \2 (')))
where body->'headline'->>'zh' like '%预警（%';

-- A client that was connected before goes on from the event that it had: it must hear of what began anew. The
-- event log's lock comes last.
select append_event('alert.updated', a.divisions, null, a.id::text, '', jsonb_build_object('alert', a.body,
    'device_level', (select min(level) from alert d where d.device_id = a.device_id and d.detection <> 'cleared'),
    'note', '处置重新开始 / handling begins anew'))
from (select id from reopened order by id) o join alert a on a.id = o.id;

drop table risen, confirmed, peak, reopened;
drop function level_in;
