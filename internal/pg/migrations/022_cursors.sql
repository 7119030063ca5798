-- Named cursors: how far a reader of the event log is that does something once for each event, on whichever node.
create table event_cursor (
    name      text primary key check (name ~ '^[a-z][a-z0-9_.-]{0,62}$'),
    epoch     text not null,                   -- of the log that seq is of
    seq       bigint not null,                 -- the last event that is done; 0: none
    event_id  text not null,                   -- its id; empty: none
    moved_at  timestamptz not null default clock_timestamp()
);
