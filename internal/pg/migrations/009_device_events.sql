-- The events of a device: those that name it, and those of its division that leave some out, which it may be among.
create index event_log_devices on event_log
    using gin ((jsonb_path_query_array(payload, '$.changes[*].device') || jsonb_path_query_array(payload, '$.alert.device_id')));
create index event_log_more on event_log (seq) where payload->'more' > '0';
