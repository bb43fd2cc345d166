-- Enabling and disabling, for the database and for a table.
CREATE FUNCTION sys.require_cdc(owner boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'cdc') THEN
        PERFORM sys.raise_error(22901, format('The database ''%s'' is not enabled for Change Data Capture. Ensure that the correct database context is set and retry the operation.', current_database()));
    END IF;
    IF owner AND NOT sys.is_owner() THEN
        PERFORM sys.raise_error(22904, 'Caller is not authorized to initiate the requested action. DBO privileges are required.');
    END IF;
END $$;

CREATE FUNCTION sys.sp_cdc_enable_db() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN
        PERFORM sys.raise_error(22902, 'Caller is not authorized to initiate the requested action. Sysadmin privileges are required.');
    END IF;
    IF EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'cdc') THEN RETURN; END IF;
    ALTER SCHEMA cdc_disabled RENAME TO cdc;
END $$;

-- Written as a log message at the start of every statement on a tracked table: from it the capture job counts
-- __$command_id, and knows when the transaction began.
CREATE FUNCTION sys.log_statement() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_logical_emit_message(true, 'cdc.statement', (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint::text);
    RETURN NULL;
END $$;
CREATE FUNCTION sys.refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sys.raise_error(4711, format('Cannot truncate table ''%s'' because it is published for replication or enabled for Change Data Capture.', TG_RELID::regclass));
    RETURN NULL;
END $$;

-- The declared types of a source table's columns hold for its change tables; a rowversion is a binary(8) there.
CREATE FUNCTION sys.follow_declared(source oid) RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS $$
DECLARE c record;
BEGIN
    IF to_regclass('cdc.change_tables') IS NULL THEN RETURN; END IF;
    FOR c IN SELECT t.object_id, r.relname, k.column_name, col_description(source, s.attnum) AS declared FROM cdc.change_tables t JOIN pg_class r ON r.oid = t.object_id::oid
        JOIN cdc.captured_columns k ON k.object_id = t.object_id JOIN pg_attribute s ON s.attrelid = source AND s.attname = k.column_name COLLATE "C" AND NOT s.attisdropped
        WHERE t.source_object_id = source::int AND col_description(source, s.attnum) IS NOT NULL LOOP
        EXECUTE format('COMMENT ON COLUMN cdc.%I.%I IS %L', c.relname, c.column_name, CASE c.declared WHEN 'timestamp' THEN 'binary(8)' ELSE c.declared END);
        UPDATE cdc.captured_columns k SET column_type = split_part(c.declared, '(', 1) WHERE k.object_id = c.object_id AND k.column_name = c.column_name;
    END LOOP;
END $$;

CREATE FUNCTION sys.sp_cdc_enable_table(
    source_schema text, source_name text, role_name text, capture_instance text DEFAULT NULL,
    supports_net_changes int DEFAULT NULL, index_name text DEFAULT NULL, captured_column_list text DEFAULT NULL,
    filegroup_name text DEFAULT NULL, allow_partition_switch int DEFAULT 1) RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    p_role text := $3; p_instance text := $4; p_index text := $6; p_list text := $7;
    source oid; instance text; change_table oid; key_index oid; wanted text[]; definitions text; missing text; net boolean;
BEGIN
    PERFORM sys.require_cdc(true);
    PERFORM set_config('sys.in_cdc', 'on', true);
    SELECT c.oid, coalesce(p_instance, n.nspname || '_' || c.relname) INTO source, instance
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE lower(n.nspname) = lower($1) AND lower(c.relname) = lower($2) AND c.relkind = 'r';
    IF source IS NULL THEN
        PERFORM sys.raise_error(22931, format('Source table ''%s.%s'' does not exist in the current database. Ensure that the correct database context is set. Specify a valid schema and table name for the database.', $1, $2));
    END IF;
    IF length(instance) > 100 THEN
        PERFORM sys.raise_error(22925, format('The capture instance name ''%s'' exceeds the length limit of 100 characters.', instance));
    END IF;
    IF EXISTS (SELECT 1 FROM cdc.change_tables t WHERE t.capture_instance = instance) THEN
        PERFORM sys.raise_error(22926, format('Could not create a capture instance because the capture instance name ''%s'' already exists in the current database. Specify an explicit unique name for the parameter @capture_instance.', instance));
    END IF;
    IF (SELECT count(*) FROM cdc.change_tables t WHERE t.source_object_id = source::int) >= 2 THEN
        PERFORM sys.raise_error(22962, format('Two capture instances already exist for source table ''%s.%s''. A table can have at most two capture instances. If the current tracking options are not appropriate, disable change tracking for the obsolete instance by using sys.sp_cdc_disable_table and retry the operation.', $1, $2));
    END IF;
    SELECT i.indexrelid INTO key_index FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE i.indrelid = source AND i.indisunique AND CASE WHEN p_index IS NULL THEN i.indisprimary ELSE lower(c.relname) = lower(p_index) END;
    IF p_index IS NOT NULL AND key_index IS NULL THEN
        PERFORM sys.raise_error(22937, format('The index name ''%s'' is not a unique index of the source table.', p_index));
    END IF;
    net := coalesce($5 = 1, key_index IS NOT NULL);
    IF net AND key_index IS NULL THEN
        PERFORM sys.raise_error(22939, 'The parameter @supports_net_changes is set to 1, but the source table does not have a primary key defined and no alternate unique index has been specified.');
    END IF;
    SELECT array_agg(lower(btrim(x, ' []'))) INTO wanted FROM unnest(string_to_array(p_list, ',')) x;
    SELECT x INTO missing FROM unnest(wanted) x WHERE x NOT IN
        (SELECT lower(attname) FROM pg_attribute WHERE attrelid = source AND attnum > 0 AND NOT attisdropped) LIMIT 1;
    IF missing IS NOT NULL THEN
        PERFORM sys.raise_error(22930, format('Could not locate column name ''%s'' in source table ''%s.%s'' as specified in the list of captured columns.', missing, $1, $2));
    END IF;
    SELECT a.attname INTO missing FROM pg_index i JOIN pg_attribute a ON a.attrelid = source AND a.attnum = ANY (i.indkey)
     WHERE i.indexrelid = key_index AND wanted IS NOT NULL AND lower(a.attname) <> ALL (wanted) LIMIT 1;
    IF missing IS NOT NULL THEN
        PERFORM sys.raise_error(22960, format('The list of captured columns must contain the key column ''%s'' of the source table.', missing));
    END IF;

    SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) INTO definitions
      FROM pg_attribute WHERE attrelid = source AND attnum > 0 AND NOT attisdropped AND (wanted IS NULL OR lower(attname) = ANY (wanted));
    EXECUTE format('CREATE TABLE cdc.%1$I ("__$start_lsn" sys."binary"(10) NOT NULL, "__$end_lsn" sys."binary"(10), "__$seqval" sys."binary"(10) NOT NULL, '
        '"__$operation" int NOT NULL, "__$update_mask" sys.varbinary(128), %2$s, "__$command_id" int)', instance || '_CT', definitions);
    EXECUTE format('CREATE UNIQUE INDEX %1$I ON cdc.%2$I ("__$start_lsn", "__$command_id", "__$seqval", "__$operation")',
                   instance || '_CT_clustered_idx', instance || '_CT');
    change_table := format('cdc.%I', instance || '_CT')::regclass::oid;
    IF NOT EXISTS (SELECT 1 FROM cdc.change_tables t WHERE t.source_object_id = source::int) THEN
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', source::regclass);
        EXECUTE format('ALTER PUBLICATION cdc ADD TABLE %s', source::regclass);
        EXECUTE format('CREATE TRIGGER cdc_statement BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION sys.log_statement()', source::regclass);
        EXECUTE format('CREATE TRIGGER cdc_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION sys.refuse_truncate()', source::regclass);
        PERFORM sys.limit_large_values(source);
    END IF;
    IF p_role IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_roles WHERE lower(rolname) = lower(p_role)) THEN
        EXECUTE format('CREATE ROLE %I', p_role);
    END IF;
    INSERT INTO cdc.change_tables VALUES (change_table::int, 0, source::int, instance, sys.lsn(pg_current_wal_insert_lsn(), 0), NULL, net, NULL,
        p_role, (SELECT relname FROM pg_class WHERE oid = key_index), $8, sys.getdate(), allow_partition_switch <> 0);
    INSERT INTO cdc.captured_columns
        SELECT change_table::int, s.attname, s.attnum, sys.type_name(s.atttypid, s.atttypmod), row_number() OVER (ORDER BY s.attnum), s.attgenerated <> '', NULL
          FROM pg_attribute s JOIN pg_attribute c ON c.attrelid = change_table AND c.attname = s.attname
         WHERE s.attrelid = source AND s.attnum > 0 AND NOT s.attisdropped;
    INSERT INTO cdc.index_columns
        SELECT change_table::int, a.attname, k.ordinal, a.attnum FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k (attnum, ordinal)
          JOIN pg_attribute a ON a.attrelid = source AND a.attnum = k.attnum WHERE i.indexrelid = key_index;
    INSERT INTO sys.jobs VALUES ('capture', gen_random_uuid(), 500, 10, true, 5, 0, 0), ('cleanup', gen_random_uuid(), 0, 0, false, 0, 4320, 5000)
        ON CONFLICT DO NOTHING;
    PERFORM sys.follow_declared(source);
    PERFORM sys.make_functions(change_table::int);
    PERFORM set_config('sys.in_cdc', '', true);
END $$;

-- 'max text repl size', 65,536 bytes: a larger value in a tracked table makes the writing statement fail.
CREATE FUNCTION sys.limit_large_values(source oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text; type oid; bytes text;
BEGIN
    FOR name, type IN SELECT attname, atttypid FROM pg_attribute
        WHERE attrelid = source AND attnum > 0 AND NOT attisdropped AND atttypid IN ('text'::regtype, 'bytea'::regtype) LOOP
        bytes := CASE WHEN type = 'text'::regtype THEN 'length(%1$I) * 2' ELSE 'length(%1$I)' END;
        EXECUTE format('ALTER TABLE %2$s ADD CONSTRAINT %3$I CHECK (' || bytes || ' <= 65536) NOT VALID', name, source::regclass, 'max_text_repl_size_' || name);
    END LOOP;
END $$;

CREATE FUNCTION sys.make_functions(change_table int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE t cdc.change_tables; columns text; definitions text; keys text; row_type text;
BEGIN
    SELECT * INTO t FROM cdc.change_tables WHERE object_id = change_table;
    SELECT string_agg('t.' || quote_ident(attname), ', ' ORDER BY attnum), string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
      INTO columns, definitions FROM pg_attribute WHERE attrelid = change_table::oid AND attnum > 5 AND NOT attisdropped AND attname <> '__$command_id';
    SELECT string_agg('t.' || quote_ident(column_name), ', ' ORDER BY index_ordinal) INTO keys FROM cdc.index_columns WHERE object_id = change_table;
    row_type := t.capture_instance || '_row';
    EXECUTE format('CREATE TYPE sys.%I AS ("__$start_lsn" sys."binary"(10), "__$seqval" sys."binary"(10), "__$operation" int, "__$update_mask" sys.varbinary(128), %s)', row_type, definitions);
    EXECUTE format($make$
        CREATE FUNCTION cdc.%1$I(from_lsn bytea, to_lsn bytea, row_filter_option text) RETURNS SETOF sys.%2$I STABLE SECURITY DEFINER ROWS 1000 LANGUAGE plpgsql AS $body$
        #variable_conflict use_column
        BEGIN
            PERFORM sys.check_range(%3$L, 'all', $1, $2, $3, '{all,all update old}');
            RETURN QUERY SELECT t."__$start_lsn", t."__$seqval", t."__$operation", t."__$update_mask", %4$s FROM cdc.%5$I t
                WHERE t."__$start_lsn" BETWEEN $1 AND $2 AND (t."__$operation" <> 3 OR lower($3) = 'all update old')
                ORDER BY t."__$start_lsn", t."__$command_id", t."__$seqval", t."__$operation";
        END $body$ $make$, 'fn_cdc_get_all_changes_' || t.capture_instance, row_type, t.capture_instance, columns, t.capture_instance || '_CT');
    EXECUTE format('REVOKE ALL ON FUNCTION cdc.%I(bytea, bytea, text) FROM PUBLIC', 'fn_cdc_get_all_changes_' || t.capture_instance);
    IF NOT t.supports_net_changes THEN RETURN; END IF;
    EXECUTE format($make$
        CREATE FUNCTION cdc.%1$I(from_lsn bytea, to_lsn bytea, row_filter_option text) RETURNS SETOF sys.%2$I STABLE SECURITY DEFINER ROWS 1000 LANGUAGE plpgsql AS $body$
        #variable_conflict use_column
        BEGIN
            PERFORM sys.check_range(%3$L, 'net', $1, $2, $3, '{all,all with mask,all with merge}');
            RETURN QUERY WITH ranked AS (
                SELECT t.*, first_value(t."__$operation") OVER forwards AS first_operation,
                       row_number() OVER (PARTITION BY %6$s ORDER BY t."__$start_lsn" DESC, t."__$command_id" DESC, t."__$seqval" DESC, t."__$operation" DESC) AS from_last,
                       sys.mask_union(t."__$update_mask") OVER (PARTITION BY %6$s) AS all_masks
                  FROM cdc.%5$I t WHERE t."__$start_lsn" BETWEEN $1 AND $2 AND t."__$operation" <> 3
                WINDOW forwards AS (PARTITION BY %6$s ORDER BY t."__$start_lsn", t."__$command_id", t."__$seqval", t."__$operation"))
            SELECT t."__$start_lsn", t."__$seqval",
                   CASE WHEN t."__$operation" = 1 THEN 1 WHEN lower($3) = 'all with merge' THEN 5 WHEN t.first_operation = 2 THEN 2 ELSE 4 END,
                   (CASE WHEN lower($3) = 'all with mask' AND t."__$operation" <> 1 AND t.first_operation <> 2 THEN t.all_masks END)::sys.varbinary(128), %4$s
              FROM ranked t WHERE t.from_last = 1 AND NOT (t.first_operation = 2 AND t."__$operation" = 1)
             ORDER BY t."__$start_lsn", t."__$command_id", t."__$seqval";
        END $body$ $make$, 'fn_cdc_get_net_changes_' || t.capture_instance, row_type, t.capture_instance, columns, t.capture_instance || '_CT', keys);
    EXECUTE format('REVOKE ALL ON FUNCTION cdc.%I(bytea, bytea, text) FROM PUBLIC', 'fn_cdc_get_net_changes_' || t.capture_instance);
END $$;

CREATE FUNCTION sys.drop_functions(instance text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP FUNCTION IF EXISTS cdc.%I(bytea, bytea, text)', 'fn_cdc_get_all_changes_' || instance);
    EXECUTE format('DROP FUNCTION IF EXISTS cdc.%I(bytea, bytea, text)', 'fn_cdc_get_net_changes_' || instance);
    EXECUTE format('DROP TYPE IF EXISTS sys.%I', instance || '_row');
END $$;

CREATE FUNCTION sys.drop_instance(t cdc.change_tables) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('sys.in_cdc', 'on', true);
    PERFORM sys.drop_functions(t.capture_instance);
    EXECUTE format('DROP TABLE cdc.%I', t.capture_instance || '_CT');
    DELETE FROM cdc.captured_columns c WHERE c.object_id = t.object_id;
    DELETE FROM cdc.index_columns c WHERE c.object_id = t.object_id;
    DELETE FROM cdc.ddl_history c WHERE c.object_id = t.object_id;
    DELETE FROM cdc.change_tables c WHERE c.object_id = t.object_id;
    IF NOT EXISTS (SELECT 1 FROM cdc.change_tables c WHERE c.source_object_id = t.source_object_id)
       AND EXISTS (SELECT 1 FROM pg_class WHERE oid = t.source_object_id::oid) THEN
        PERFORM sys.release_table(t.source_object_id::oid);
    END IF;
    PERFORM set_config('sys.in_cdc', '', true);
END $$;

CREATE FUNCTION sys.release_table(source oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text;
BEGIN
    EXECUTE format('ALTER PUBLICATION cdc DROP TABLE %s', source::regclass);
    EXECUTE format('DROP TRIGGER cdc_statement ON %s', source::regclass);
    EXECUTE format('DROP TRIGGER cdc_truncate ON %s', source::regclass);
    EXECUTE format('ALTER TABLE %s REPLICA IDENTITY DEFAULT', source::regclass);
    FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = source AND conname LIKE 'max\_text\_repl\_size\_%' LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', source::regclass, name);
    END LOOP;
END $$;

CREATE FUNCTION sys.sp_cdc_disable_table(source_schema text, source_name text, capture_instance text) RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE t cdc.change_tables; found int := 0;
BEGIN
    PERFORM sys.require_cdc(true);
    FOR t IN SELECT c.* FROM cdc.change_tables c JOIN pg_class r ON r.oid::int = c.source_object_id JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE lower(n.nspname) = lower($1) AND lower(r.relname) = lower($2) AND (c.capture_instance = $3 OR lower($3) = 'all') LOOP
        found := found + 1;
        PERFORM sys.drop_instance(t);
    END LOOP;
    IF found = 0 THEN
        PERFORM sys.raise_error(22960, format('Change data capture instance ''%s'' has not been enabled for the source table ''%s.%s''. Use sys.sp_cdc_help_change_data_capture to verify the capture instance name and retry the operation.', $3, $1, $2));
    END IF;
END $$;

CREATE FUNCTION sys.sp_cdc_disable_db() RETURNS void LANGUAGE plpgsql AS $$
DECLARE t cdc.change_tables;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'cdc') THEN RETURN; END IF;
    PERFORM sys.require_cdc(true);
    FOR t IN SELECT * FROM cdc.change_tables LOOP PERFORM sys.drop_instance(t); END LOOP;
    DELETE FROM cdc.lsn_time_mapping;
    DELETE FROM cdc.ddl_history;
    DELETE FROM sys.jobs;
    ALTER SCHEMA cdc RENAME TO cdc_disabled;
END $$;
