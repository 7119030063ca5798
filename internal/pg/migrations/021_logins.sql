-- Failed logins: counted under keys that all nodes share, and listed for administrators.

-- One row for what a caller, an account or an address has failed; key is a hash, so that nothing that was typed is kept.
-- failures falls with time from at on: the service knows how fast.
create table login_count (
    key       bytea primary key,
    failures  double precision not null,
    at        timestamptz not null,
    account   bytea not null                   -- the key of the account that is failed on; zeros: none in particular
);
create index on login_count (at);
create index on login_count (account);

-- The devices and addresses that an account has logged in from, by hashes of them.
create table login_caller (
    account_id  bigint not null references account on delete cascade,
    caller      bytea not null,
    at          timestamptz not null,          -- of the last success
    primary key (account_id, caller)
);
create index on login_caller (caller);
create index on login_caller (at);

-- The list: what is alike within a minute is one row, and 'rest' counts what was beyond the minute's budget.
create table login_failure (
    id          bigint generated always as identity primary key,
    minute      timestamptz not null,
    at          timestamptz not null,          -- of the latest
    name        text not null,                 -- empty: what was typed is no user name
    account_id  bigint references account on delete cascade,
    known       boolean not null,              -- there was such an account
    remote      text not null,
    reason      text not null check (reason in ('password', 'disabled', 'locked', 'change', 'rest')),
    attempts    bigint not null default 1,
    unique (minute, known, reason, name, remote)
);
create index on login_failure (at);

alter table account drop failed_logins, drop failed_at,
    add last_login_at timestamptz, add last_login_from text not null default '';

-- What the sessions still tell.
update account p set last_login_at = s.created_at, last_login_from = s.remote
    from (select distinct on (account_id) account_id, created_at, remote from session order by account_id, id desc) s
    where s.account_id = p.id;
-- The key of an address is the first 16 bytes of a SHA-256, as package auth makes it; IPv6 networks are left to the next login.
insert into login_caller (account_id, caller, at)
    select account_id, substr(sha256('address\000'::bytea || convert_to(remote, 'UTF8')), 1, 16), max(last_seen)
    from session where remote ~ '^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$' group by account_id, remote;
