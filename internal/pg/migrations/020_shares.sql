-- What a device sent beyond its budget of a minute: a row of the quarantine that counts them and shows the first.
alter table quarantine add column more bigint not null default 0, add column more_bytes bigint not null default 0;
create unique index quarantine_more on quarantine (device_id, at) where more > 0;
