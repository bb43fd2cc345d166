-- Retention.
CREATE FUNCTION sys.forget_unused_times() RETURNS void LANGUAGE sql AS $$
    DELETE FROM cdc.lsn_time_mapping m WHERE m.start_lsn < (SELECT t.start_lsn FROM cdc.change_tables t ORDER BY t.start_lsn LIMIT 1) $$;

CREATE FUNCTION sys.sp_cdc_cleanup_change_table(capture_instance text, low_water_mark bytea, threshold bigint DEFAULT 5000) RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS $$
DECLARE t cdc.change_tables; mark bytea := $2;
BEGIN
    PERFORM sys.require_cdc(true);
    SELECT * INTO t FROM cdc.change_tables c WHERE c.capture_instance = $1;
    IF t.object_id IS NULL THEN
        PERFORM sys.raise_error(22920, format('The capture instance ''%s'' does not exist.', $1));
    END IF;
    IF mark IS NULL THEN mark := t.start_lsn; END IF;
    IF mark < t.start_lsn THEN
        PERFORM sys.raise_error(22957, format('LSN 0x%s, specified as the new low endpoint for change table cleanup of capture instance ''%s'', is below its current low endpoint.', encode(mark, 'hex'), $1));
    END IF;
    IF mark <> t.start_lsn AND NOT EXISTS (SELECT 1 FROM cdc.lsn_time_mapping m WHERE m.start_lsn = mark) THEN
        PERFORM sys.raise_error(22964, format('LSN 0x%s, specified as the new low endpoint for capture instance ''%s'', is not within the Change Data Capture timeline.', encode(mark, 'hex'), $1));
    END IF;
    UPDATE cdc.change_tables c SET start_lsn = mark WHERE c.object_id = t.object_id;
    EXECUTE format('DELETE FROM cdc.%I WHERE "__$start_lsn" < $1', t.capture_instance || '_CT') USING mark;
    PERFORM sys.forget_unused_times();
END $$;

-- The cleanup job: the base is the newest captured commit, not the clock, so a stalled capture job loses nothing.
CREATE FUNCTION sys.sp_mscdc_cleanup_job(retention_minutes numeric DEFAULT NULL) RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS $$
DECLARE newest timestamp; mark bytea; t cdc.change_tables; minutes numeric;
BEGIN
    PERFORM sys.require_cdc(true);
    minutes := coalesce(retention_minutes, (SELECT retention FROM sys.jobs WHERE job_type = 'cleanup'));
    SELECT tran_end_time INTO newest FROM cdc.lsn_time_mapping ORDER BY start_lsn DESC LIMIT 1;
    mark := sys.fn_cdc_map_time_to_lsn('largest less than or equal', newest - make_interval(secs => (minutes * 60)::float));
    IF mark IS NULL THEN RETURN; END IF;
    UPDATE cdc.change_tables c SET start_lsn = mark WHERE c.start_lsn < mark;
    FOR t IN SELECT * FROM cdc.change_tables LOOP
        EXECUTE format('DELETE FROM cdc.%I WHERE "__$start_lsn" < $1', t.capture_instance || '_CT') USING t.start_lsn;
    END LOOP;
    PERFORM sys.forget_unused_times();
END $$;
