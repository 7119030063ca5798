-- Display logins, and sessions that last while they are used.

-- ends_at is the bound that use does not move; null has none (a display's login lasts until it is revoked).
alter table session add ends_at timestamptz;
update session set ends_at = created_at + interval '7 days';

-- A display is an account without a password: a wall or a duty phone. Its login is "display: NAME", which no person
-- can have, so that whatever names its actor names the display.
alter table account drop constraint account_login_check;
alter table account drop constraint account_role_check;
alter table account add constraint account_role_check
    check (role in ('city_commander', 'county_responder', 'data_steward', 'observer', 'administrator', 'display', 'display_acknowledge'));
alter table account add constraint account_login_check
    check (case when role in ('display', 'display_acknowledge') then login ~ '^display: .' and password_hash = ''
        else login ~ '^[a-z0-9._-]{2,64}$' end);

create table display (
    id            bigint generated always as identity primary key,
    account_id    bigint not null unique references account on delete cascade,
    name          text not null check (name <> ''),
    start         text not null check (start in ('wall', 'phone')),
    link_sha256   bytea unique,            -- of the link's token while the link can be used; used once
    link_expires  timestamptz,
    claimed_at    timestamptz,             -- when a device last used a link
    created_at    timestamptz not null,
    created_by    text not null,
    revoked_at    timestamptz,
    revoked_by    text not null default '',
    check ((link_sha256 is null) = (link_expires is null))
);
create unique index on display (name) where revoked_at is null;
