-- DDL on tracked tables: listed in cdc.ddl_history; a type change is carried into the change tables, a new column is
-- ignored, a dropped one stays (and reads NULL), a rename of a captured column is refused.
CREATE FUNCTION sys.follow_alter_table() RETURNS event_trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
DECLARE command record; t cdc.change_tables; c record; widened boolean; renamed text;
BEGIN
    IF current_setting('sys.in_cdc', true) = 'on' OR NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'cdc') THEN RETURN; END IF;
    FOR command IN SELECT DISTINCT objid FROM pg_event_trigger_ddl_commands() WHERE command_tag = 'ALTER TABLE' AND objid IS NOT NULL AND classid = 'pg_class'::regclass LOOP
        FOR t IN SELECT * FROM cdc.change_tables WHERE source_object_id = command.objid::int LOOP
            SELECT column_name INTO renamed FROM cdc.captured_columns k JOIN pg_attribute a ON a.attrelid = command.objid AND a.attnum = k.column_id
             WHERE k.object_id = t.object_id AND NOT a.attisdropped AND a.attname <> k.column_name COLLATE "C" LIMIT 1;
            IF renamed IS NOT NULL THEN
                PERFORM sys.raise_error(4928, format('Cannot alter column ''%s'' because it is ''REPLICATED''.', renamed));
            END IF;
            widened := false;
            FOR c IN SELECT k.column_name, format_type(s.atttypid, s.atttypmod) AS type, sys.type_name(s.atttypid, s.atttypmod) AS name
                FROM cdc.captured_columns k JOIN pg_attribute s ON s.attrelid = command.objid AND s.attnum = k.column_id AND NOT s.attisdropped
                JOIN pg_attribute d ON d.attrelid = t.object_id::oid AND d.attname = s.attname
                WHERE k.object_id = t.object_id AND (s.atttypid, s.atttypmod) <> (d.atttypid, d.atttypmod) LOOP
                widened := true;
                PERFORM set_config('sys.in_cdc', 'on', true);
                PERFORM sys.drop_functions(t.capture_instance);
                EXECUTE format('ALTER TABLE cdc.%I ALTER COLUMN %I TYPE %s', t.capture_instance || '_CT', c.column_name, c.type);
                UPDATE cdc.captured_columns SET column_type = c.name WHERE object_id = t.object_id AND column_name = c.column_name;
                PERFORM sys.make_functions(t.object_id);
                PERFORM set_config('sys.in_cdc', '', true);
            END LOOP;
            INSERT INTO cdc.ddl_history VALUES (t.source_object_id, t.object_id, widened,
                coalesce(nullif(current_setting('sys.tsql', true), ''), current_query()), sys.lsn(pg_current_wal_insert_lsn(), 0), sys.getdate());
        END LOOP;
    END LOOP;
END $$;
CREATE EVENT TRIGGER cdc_follow_alter_table ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION sys.follow_alter_table();

-- Dropping a tracked table takes its capture instances along.
CREATE FUNCTION sys.follow_drop_table() RETURNS event_trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
DECLARE t cdc.change_tables;
BEGIN
    IF current_setting('sys.in_cdc', true) = 'on' OR NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'cdc') THEN RETURN; END IF;
    FOR t IN SELECT c.* FROM cdc.change_tables c JOIN pg_event_trigger_dropped_objects() d ON d.objid::int = c.source_object_id AND d.object_type = 'table' LOOP
        PERFORM sys.drop_instance(t);
    END LOOP;
END $$;
CREATE EVENT TRIGGER cdc_follow_drop_table ON sql_drop WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION sys.follow_drop_table();
