-- The query functions. They look at every row with the owner's rights and decide by the session's role: a caller
-- without rights gets zeros (min_lsn), nothing (help) or 229 (changes), as from SQL Server.
CREATE FUNCTION sys.is_owner() RETURNS boolean STABLE LANGUAGE sql AS $$
    SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) OR pg_has_role(session_user, 'db_owner', 'member') $$;

-- A caller may see an instance with SELECT on all captured columns and, where one was named, the gating role.
CREATE FUNCTION sys.may_read(instance cdc.change_tables) RETURNS boolean STABLE SECURITY DEFINER LANGUAGE sql AS $$
    SELECT sys.is_owner() OR (
        (instance.role_name IS NULL OR EXISTS (SELECT 1 FROM pg_roles r WHERE lower(r.rolname) = lower(instance.role_name)
                                               AND pg_has_role(session_user, r.oid, 'member')))
        AND (has_table_privilege(session_user, instance.source_object_id::oid, 'SELECT') OR NOT EXISTS (
            SELECT 1 FROM cdc.captured_columns c JOIN pg_attribute a ON a.attrelid = instance.source_object_id::oid AND a.attnum = c.column_id
             WHERE c.object_id = instance.object_id AND NOT a.attisdropped
               AND NOT has_column_privilege(session_user, instance.source_object_id::oid, a.attnum, 'SELECT')))) $$;

CREATE FUNCTION sys.fn_cdc_get_max_lsn() RETURNS sys."binary" STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT start_lsn FROM cdc.lsn_time_mapping ORDER BY start_lsn DESC LIMIT 1);
EXCEPTION WHEN undefined_table OR invalid_schema_name THEN RETURN NULL;
END $$;

CREATE FUNCTION sys.fn_cdc_get_min_lsn(instance text) RETURNS sys."binary" STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
DECLARE low sys."binary";
BEGIN
    SELECT t.start_lsn INTO low FROM cdc.change_tables t WHERE t.capture_instance = instance AND sys.may_read(t);
    RETURN coalesce(low::bytea, decode(repeat('00', 10), 'hex'))::sys."binary";
EXCEPTION WHEN undefined_table OR invalid_schema_name THEN RETURN decode(repeat('00', 10), 'hex')::sys."binary";
END $$;

CREATE FUNCTION sys.lsn_plus(lsn bytea, step int) RETURNS sys."binary" IMMUTABLE STRICT LANGUAGE plpgsql AS $$
DECLARE place int := 9; digit int; result bytea := lsn;
BEGIN
    IF length(lsn) <> 10 THEN PERFORM sys.raise_error(8152, 'String or binary data would be truncated.'); END IF;
    WHILE place >= 0 LOOP
        digit := get_byte(result, place) + step;
        IF digit BETWEEN 0 AND 255 THEN RETURN set_byte(result, place, digit)::sys."binary"; END IF;
        result := set_byte(result, place, (digit + 256) % 256);
        place := place - 1;
    END LOOP;
    RETURN result::sys."binary";
END $$;
CREATE FUNCTION sys.fn_cdc_increment_lsn(lsn bytea) RETURNS sys."binary" IMMUTABLE STRICT LANGUAGE sql AS 'SELECT sys.lsn_plus(lsn, 1)';
CREATE FUNCTION sys.fn_cdc_decrement_lsn(lsn bytea) RETURNS sys."binary" IMMUTABLE STRICT LANGUAGE sql AS 'SELECT sys.lsn_plus(lsn, -1)';

CREATE FUNCTION sys.fn_cdc_map_lsn_to_time(lsn bytea) RETURNS sys.datetime STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN RETURN (SELECT tran_end_time FROM cdc.lsn_time_mapping WHERE start_lsn = lsn); END $$;

CREATE FUNCTION sys.fn_cdc_map_time_to_lsn(operator text, at_time timestamp) RETURNS sys."binary" STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
-- The parameter is a datetime: it is rounded like the stored times.
DECLARE moment timestamp := sys.to_datetime($2);
BEGIN
    CASE lower(operator)
    WHEN 'smallest greater than' THEN
        RETURN (SELECT start_lsn FROM cdc.lsn_time_mapping WHERE tran_end_time > moment ORDER BY start_lsn LIMIT 1);
    WHEN 'smallest greater than or equal' THEN
        RETURN (SELECT start_lsn FROM cdc.lsn_time_mapping WHERE tran_end_time >= moment ORDER BY start_lsn LIMIT 1);
    WHEN 'largest less than' THEN
        RETURN (SELECT start_lsn FROM cdc.lsn_time_mapping WHERE tran_end_time < moment ORDER BY start_lsn DESC LIMIT 1);
    WHEN 'largest less than or equal' THEN
        RETURN (SELECT start_lsn FROM cdc.lsn_time_mapping WHERE tran_end_time <= moment ORDER BY start_lsn DESC LIMIT 1);
    ELSE RETURN NULL;
    END CASE;
END $$;

CREATE FUNCTION sys.fn_cdc_is_bit_set(place int, mask bytea) RETURNS boolean IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT CASE WHEN place BETWEEN 1 AND length(mask) * 8
                THEN (get_byte(mask, length(mask) - 1 - (place - 1) / 8) >> ((place - 1) % 8)) & 1 = 1 ELSE false END $$;
CREATE FUNCTION sys.fn_cdc_get_column_ordinal(instance text, name text) RETURNS int STABLE SECURITY DEFINER LANGUAGE sql AS $$
    SELECT c.column_ordinal FROM cdc.captured_columns c JOIN cdc.change_tables t USING (object_id)
     WHERE t.capture_instance = instance AND c.column_name = name AND sys.may_read(t) $$;
CREATE FUNCTION sys.fn_cdc_has_column_changed(instance text, name text, mask bytea) RETURNS boolean STABLE LANGUAGE sql AS $$
    SELECT sys.fn_cdc_is_bit_set(sys.fn_cdc_get_column_ordinal(instance, name), mask) $$;

-- The gate of both change functions. 313 is SQL Server's (misleading) word for every bad range: a table function
-- cannot raise a text of its own.
CREATE FUNCTION sys.check_range(instance text, kind text, from_lsn bytea, to_lsn bytea, filter text, filters text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE found cdc.change_tables; low bytea;
BEGIN
    SELECT * INTO found FROM cdc.change_tables t WHERE t.capture_instance = instance;
    IF NOT sys.may_read(found) THEN
        PERFORM sys.raise_error(229, format('The SELECT permission was denied on the object ''fn_cdc_get_%s_changes_%s'', database ''%s'', schema ''cdc''.',
                                            kind, instance, current_database()));
    END IF;
    low := found.start_lsn;
    IF from_lsn IS NULL OR to_lsn IS NULL OR filter IS NULL OR from_lsn < low OR from_lsn > to_lsn
       OR to_lsn > coalesce(sys.fn_cdc_get_max_lsn()::bytea, '\x00') OR lower(filter) <> ALL (filters) THEN
        PERFORM sys.raise_error(313, format('An insufficient number of arguments were supplied for the procedure or function cdc.fn_cdc_get_%s_changes_ ... .', kind));
    END IF;
END $$;

CREATE FUNCTION sys.mask_or(bytea, bytea) RETURNS bytea IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE result bytea := $1;
BEGIN
    IF $1 IS NULL OR $2 IS NULL THEN RETURN coalesce($1, $2); END IF;
    FOR i IN 0 .. length($1) - 1 LOOP result := set_byte(result, i, get_byte($1, i) | get_byte($2, i)); END LOOP;
    RETURN result;
END $$;
CREATE AGGREGATE sys.mask_union(bytea) (SFUNC = sys.mask_or, STYPE = bytea);
