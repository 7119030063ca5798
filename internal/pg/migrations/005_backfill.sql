-- What bulk back-fill needs.

-- one row a file that is or was imported: how far it is stands in the transaction of what came before.
create table observation_import (
    key            bytea primary key check (octet_length(key) = 32), -- SHA-256 of the bytes and of the options that give them their meaning
    name           text not null,
    position       bigint not null default 0,  -- bytes of the text, decompressed, that are done
    line           bigint not null default 0,  -- lines that are done
    rejects_bytes  bigint not null default 0,  -- length of the file of refused records then
    counts         jsonb not null default '{}',
    started_at     timestamptz not null,
    updated_at     timestamptz not null,
    finished_at    timestamptz
);
