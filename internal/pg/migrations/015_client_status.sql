-- What the pages of people who are connected can do: whether an alarm would be heard, whether the page is seen, which
-- alert is open on it, and whether a handling step of it is being written. '' is a client that has not said.
alter table push_client
    add column sound    text not null default '' check (sound in ('', 'armed', 'off', 'muted', 'suspended')),
    add column visible  boolean not null default false,
    add column alert_id bigint references alert on delete set null,
    add column acting   boolean not null default false;
