-- By how much a device's clock is wrong, its time less ours in seconds (negative: behind), as it was noted last.
-- Null: it is right, or nothing is known of it.
alter table device add column clock_offset_s double precision, add column clock_at timestamptz;
