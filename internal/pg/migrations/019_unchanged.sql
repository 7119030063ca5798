-- expect_unchanged fails with P0V02 when one of the devices, or all at once, has changed after the event seq: what was
-- decoded by the registry of then must not be stored.
create function expect_unchanged(p_seq bigint, p_devices text[]) returns void language plpgsql stable as $$
begin
    if exists (
        select from event_log where kind = 'registry.changed' and seq > p_seq and (subject = '' or subject = any(p_devices))
    ) then
        raise exception 'a device of the batch has changed' using errcode = 'P0V02';
    end if;
end $$;
