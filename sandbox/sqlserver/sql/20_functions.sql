-- T-SQL's built-in functions that the translator leaves as calls.
CREATE FUNCTION sys.getdate() RETURNS sys.datetime LANGUAGE sql AS 'SELECT sys.to_datetime(clock_timestamp()::timestamp)';
CREATE FUNCTION sys.getutcdate() RETURNS sys.datetime LANGUAGE sql AS $$ SELECT sys.to_datetime(clock_timestamp() AT TIME ZONE 'UTC') $$;
CREATE FUNCTION sys.sysdatetime() RETURNS timestamp LANGUAGE sql AS 'SELECT clock_timestamp()::timestamp';
CREATE FUNCTION sys.sysutcdatetime() RETURNS timestamp LANGUAGE sql AS $$ SELECT clock_timestamp() AT TIME ZONE 'UTC' $$;
CREATE FUNCTION sys.sysdatetimeoffset() RETURNS timestamptz LANGUAGE sql AS 'SELECT clock_timestamp()';
CREATE FUNCTION sys.todatetimeoffset(moment timestamp, minutes int) RETURNS timestamptz IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT (moment - make_interval(mins => minutes)) AT TIME ZONE 'UTC' $$;
CREATE FUNCTION sys.newid() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()';
CREATE FUNCTION sys.newsequentialid() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()';

CREATE FUNCTION sys.date_unit(part text) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT CASE lower(part) WHEN 'yy' THEN 'year' WHEN 'yyyy' THEN 'year' WHEN 'qq' THEN 'quarter' WHEN 'q' THEN 'quarter' WHEN 'mm' THEN 'month'
        WHEN 'm' THEN 'month' WHEN 'dd' THEN 'day' WHEN 'd' THEN 'day' WHEN 'dy' THEN 'day' WHEN 'dayofyear' THEN 'day' WHEN 'wk' THEN 'week' WHEN 'ww' THEN 'week'
        WHEN 'hh' THEN 'hour' WHEN 'mi' THEN 'minute' WHEN 'n' THEN 'minute' WHEN 'ss' THEN 'second' WHEN 's' THEN 'second'
        WHEN 'ms' THEN 'millisecond' WHEN 'mcs' THEN 'microsecond' WHEN 'ns' THEN 'nanosecond' ELSE lower(part) END $$;
CREATE FUNCTION sys.date_add(part text, amount int, moment timestamp) RETURNS timestamp IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT moment + CASE sys.date_unit(part) WHEN 'quarter' THEN amount * interval '3 months' WHEN 'nanosecond' THEN (amount / 1000) * interval '1 microsecond'
        ELSE amount * ('1 ' || sys.date_unit(part))::interval END $$;
CREATE FUNCTION sys.date_add(part text, amount int, moment sys.datetime) RETURNS sys.datetime IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT sys.to_datetime(sys.date_add(part, amount, moment::timestamp)) $$;
CREATE FUNCTION sys.date_add(part text, amount int, moment timestamptz) RETURNS timestamptz IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT sys.date_add(part, amount, moment AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' $$;
-- DATEDIFF counts the boundaries crossed, not whole units.
CREATE FUNCTION sys.date_difference(part text, first timestamp, last timestamp) RETURNS bigint IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT CASE sys.date_unit(part)
        WHEN 'year' THEN extract(year FROM last) - extract(year FROM first)
        WHEN 'quarter' THEN (extract(year FROM last) - extract(year FROM first)) * 4 + extract(quarter FROM last) - extract(quarter FROM first)
        WHEN 'month' THEN (extract(year FROM last) - extract(year FROM first)) * 12 + extract(month FROM last) - extract(month FROM first)
        WHEN 'day' THEN last::date - first::date
        WHEN 'week' THEN floor((last::date - date '0001-01-07') / 7.0) - floor((first::date - date '0001-01-07') / 7.0)
        WHEN 'millisecond' THEN floor(extract(epoch FROM last) * 1000) - floor(extract(epoch FROM first) * 1000)
        WHEN 'microsecond' THEN floor(extract(epoch FROM last) * 1000000) - floor(extract(epoch FROM first) * 1000000)
        WHEN 'nanosecond' THEN (extract(epoch FROM last) - extract(epoch FROM first)) * 1000000000
        ELSE (extract(epoch FROM date_trunc(sys.date_unit(part), last)) - extract(epoch FROM date_trunc(sys.date_unit(part), first)))
             / CASE sys.date_unit(part) WHEN 'hour' THEN 3600 WHEN 'minute' THEN 60 ELSE 1 END END::bigint $$;
CREATE FUNCTION sys.date_part_number(part text, moment timestamptz) RETURNS int STABLE STRICT LANGUAGE sql AS $$
    SELECT CASE WHEN lower(part) IN ('tzoffset', 'tz') THEN (extract(timezone FROM moment) / 60)::int
                WHEN lower(part) IN ('dayofyear', 'dy') THEN extract(doy FROM moment)::int WHEN lower(part) IN ('weekday', 'dw') THEN (extract(dow FROM moment) + 1)::int
                WHEN sys.date_unit(part) = 'second' THEN floor(extract(second FROM moment))::int
                WHEN sys.date_unit(part) = 'millisecond' THEN (extract(milliseconds FROM moment)::int % 1000)
                ELSE date_part(sys.date_unit(part), moment)::int END $$;
CREATE FUNCTION sys.date_part_number(part text, moment timestamp) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT CASE WHEN lower(part) IN ('tzoffset', 'tz') THEN 0 ELSE sys.date_part_number(part, moment AT TIME ZONE 'UTC') END $$;
CREATE FUNCTION sys.datefromparts(year int, month int, day int) RETURNS date IMMUTABLE STRICT LANGUAGE sql AS 'SELECT make_date(year, month, day)';

-- CONVERT(character type, value, style).
CREATE FUNCTION sys.convert_text(value bytea, style int) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT CASE style WHEN 1 THEN '0x' || upper(encode(value, 'hex')) WHEN 2 THEN upper(encode(value, 'hex')) ELSE encode(value, 'escape') END $$;
CREATE FUNCTION sys.convert_text(value timestamp, style int) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT CASE style WHEN 126 THEN to_char(value, 'YYYY-MM-DD"T"HH24:MI:SS.MS') WHEN 127 THEN to_char(value, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        WHEN 121 THEN to_char(value, 'YYYY-MM-DD HH24:MI:SS.MS') WHEN 21 THEN to_char(value, 'YYYY-MM-DD HH24:MI:SS.MS') WHEN 25 THEN to_char(value, 'YYYY-MM-DD HH24:MI:SS.MS')
        WHEN 120 THEN to_char(value, 'YYYY-MM-DD HH24:MI:SS') WHEN 20 THEN to_char(value, 'YYYY-MM-DD HH24:MI:SS') WHEN 23 THEN to_char(value, 'YYYY-MM-DD')
        WHEN 112 THEN to_char(value, 'YYYYMMDD') WHEN 108 THEN to_char(value, 'HH24:MI:SS') WHEN 101 THEN to_char(value, 'MM/DD/YYYY')
        WHEN 103 THEN to_char(value, 'DD/MM/YYYY') WHEN 104 THEN to_char(value, 'DD.MM.YYYY') ELSE to_char(value, 'Mon DD YYYY HH12:MIAM') END $$;
-- datetimeoffset: the offset is lost when it is stored, the seventh digit is a zero.
CREATE FUNCTION sys.convert_text(value timestamptz, style int) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT to_char(value AT TIME ZONE 'UTC', CASE style WHEN 126 THEN 'YYYY-MM-DD"T"HH24:MI:SS.US"0+00:00"' ELSE 'YYYY-MM-DD HH24:MI:SS.US"0 +00:00"' END) $$;
CREATE FUNCTION sys.convert_text(value text, style int) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS 'SELECT value';
CREATE FUNCTION sys.convert_text(value numeric, style int) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS 'SELECT value::text';
CREATE FUNCTION sys.convert_text(value bigint, style int) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS 'SELECT value::text';
CREATE FUNCTION sys.convert_text(value uuid, style int) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS 'SELECT upper(value::text)';
CREATE FUNCTION sys.fn_varbintohexstr(value bytea) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS $$ SELECT '0x' || encode(value, 'hex') $$;
CREATE FUNCTION sys.convert_binary(value text, style int) RETURNS bytea IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT CASE style WHEN 1 THEN decode(substring(value FROM 3), 'hex') WHEN 2 THEN decode(value, 'hex') ELSE convert_to(value, 'UTF8') END $$;
CREATE FUNCTION sys.convert_binary(value bytea, style int) RETURNS bytea IMMUTABLE STRICT LANGUAGE sql AS 'SELECT value';
CREATE FUNCTION sys.try_cast(value text, target text) RETURNS text IMMUTABLE STRICT LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN EXECUTE format('SELECT (%L::%s)::text', value, target) INTO result; RETURN result;
EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;
-- Text functions that PostgreSQL does not offer on a case-insensitive collation.
CREATE FUNCTION sys.char_index(part text, whole text, first int DEFAULT 1) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT CASE strpos(lower(substring(whole FROM greatest(first, 1))) COLLATE "C", lower(part) COLLATE "C") WHEN 0 THEN 0
        ELSE strpos(lower(substring(whole FROM greatest(first, 1))) COLLATE "C", lower(part) COLLATE "C") + greatest(first, 1) - 1 END $$;
-- LEN ignores trailing blanks and counts UTF-16 units; DATALENGTH counts bytes.
CREATE FUNCTION sys.len(value text) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS $$ SELECT sys.utf16_length(rtrim(value)) $$;
CREATE FUNCTION sys.len(value bytea) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS 'SELECT length(value)';
CREATE FUNCTION sys.datalength(value text) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS 'SELECT sys.utf16_length(value) * 2';
CREATE FUNCTION sys.datalength(value bytea) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS 'SELECT length(value)';

-- Who and where am I.
CREATE FUNCTION sys.login_name() RETURNS varchar STABLE LANGUAGE sql AS $$ SELECT CASE session_user WHEN 'postgres' THEN 'sa' ELSE session_user END::varchar $$;
CREATE FUNCTION sys.suser_sname() RETURNS varchar STABLE LANGUAGE sql AS 'SELECT sys.login_name()';
CREATE FUNCTION sys.suser_name() RETURNS varchar STABLE LANGUAGE sql AS 'SELECT sys.login_name()';
CREATE FUNCTION sys.original_login() RETURNS varchar STABLE LANGUAGE sql AS 'SELECT sys.login_name()';
CREATE FUNCTION sys.user_name() RETURNS varchar STABLE LANGUAGE sql AS $$ SELECT CASE session_user WHEN 'postgres' THEN 'dbo' ELSE session_user END::varchar $$;
CREATE FUNCTION sys.db_id(name text DEFAULT NULL) RETURNS int STABLE LANGUAGE sql AS $$
    SELECT oid::int FROM pg_database WHERE lower(datname) = lower(coalesce(name, current_database())) AND datname = current_database() $$;
CREATE FUNCTION sys.db_name(id int DEFAULT NULL) RETURNS varchar STABLE LANGUAGE sql AS 'SELECT current_database()::varchar';
CREATE FUNCTION sys.schema_name(id int DEFAULT NULL) RETURNS varchar STABLE LANGUAGE sql AS $$ SELECT coalesce((SELECT nspname FROM pg_namespace WHERE oid::int = id), 'dbo')::varchar $$;
CREATE FUNCTION sys.schema_id(name text DEFAULT 'dbo') RETURNS int STABLE LANGUAGE sql AS 'SELECT oid::int FROM pg_namespace WHERE lower(nspname) = lower(name)';
CREATE FUNCTION sys.object_id(name text, type text DEFAULT NULL) RETURNS int STABLE LANGUAGE sql AS $$
    WITH wanted AS (SELECT string_to_array(lower(translate(name, '[]"', '')), '.') AS p),
         split AS (SELECT p[cardinality(p)] AS object, CASE WHEN cardinality(p) > 1 AND p[cardinality(p) - 1] <> '' THEN p[cardinality(p) - 1] ELSE 'dbo' END AS schema FROM wanted)
    SELECT id FROM (
        SELECT c.oid::int AS id FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN split ON lower(n.nspname) = split.schema AND lower(c.relname) = split.object
         WHERE type IS NULL OR (upper(btrim(type)) = 'U' AND c.relkind = 'r') OR (upper(btrim(type)) = 'V' AND c.relkind = 'v')
        UNION ALL
        SELECT p.oid::int FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN split ON lower(n.nspname) = split.schema AND lower(p.proname) = split.object
         WHERE type IS NULL OR upper(btrim(type)) IN ('P', 'FN', 'IF', 'TF')) found LIMIT 1 $$;
CREATE FUNCTION sys.object_name(id int, database int DEFAULT NULL) RETURNS varchar STABLE LANGUAGE sql AS 'SELECT relname::varchar FROM pg_class WHERE oid::int = id';
CREATE FUNCTION sys.object_schema_name(id int, database int DEFAULT NULL) RETURNS varchar STABLE LANGUAGE sql AS $$
    SELECT nspname::varchar FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid::int = id $$;
CREATE FUNCTION sys.col_name(id int, column_id int) RETURNS varchar STABLE LANGUAGE sql AS 'SELECT attname::varchar FROM pg_attribute WHERE attrelid::int = id AND attnum = column_id';
CREATE FUNCTION sys.serverproperty(name text) RETURNS varchar STABLE LANGUAGE sql AS $$
    SELECT CASE lower(name) WHEN 'engineedition' THEN '3' WHEN 'productversion' THEN '16.0.4135.4' WHEN 'productmajorversion' THEN '16' WHEN 'productlevel' THEN 'RTM'
        WHEN 'edition' THEN 'Developer Edition (64-bit)' WHEN 'servername' THEN 'STANDIN' WHEN 'machinename' THEN 'STANDIN' WHEN 'ishadrenabled' THEN '0'
        WHEN 'collation' THEN 'SQL_Latin1_General_CP1_CI_AS' WHEN 'isclustered' THEN '0' END::varchar $$;
CREATE FUNCTION sys.databasepropertyex(database text, name text) RETURNS varchar STABLE LANGUAGE sql AS $$
    SELECT CASE lower(name) WHEN 'status' THEN 'ONLINE' WHEN 'updateability' THEN 'READ_WRITE' WHEN 'collation' THEN 'SQL_Latin1_General_CP1_CI_AS' WHEN 'recovery' THEN 'FULL' END::varchar
     WHERE lower(database) = lower(current_database()) $$;
CREATE FUNCTION sys.is_srvrolemember(role text, login text DEFAULT NULL) RETURNS int STABLE LANGUAGE sql AS $$
    SELECT CASE WHEN lower(role) IN ('sysadmin', 'public') THEN (lower(role) = 'public' OR (SELECT rolsuper FROM pg_roles WHERE rolname = session_user))::int ELSE 0 END $$;
CREATE FUNCTION sys.is_rolemember(role text, member text DEFAULT NULL) RETURNS int STABLE LANGUAGE sql AS $$
    SELECT (lower(role) = 'db_owner' AND (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) OR pg_has_role(session_user, rolname, 'member'))::int
      FROM pg_roles WHERE lower(rolname) = lower(role) $$;
CREATE FUNCTION sys.is_member(role text) RETURNS int STABLE LANGUAGE sql AS 'SELECT sys.is_rolemember(role)';
CREATE FUNCTION sys.has_dbaccess(database text) RETURNS int STABLE LANGUAGE sql AS 'SELECT (lower(database) = lower(current_database()))::int';
-- The stand-in's own permission roles carry VIEW DATABASE STATE and VIEW SERVER STATE.
CREATE FUNCTION sys.has_perms_by_name(securable text, class text, permission text) RETURNS int STABLE LANGUAGE plpgsql AS $$
DECLARE id oid; kind text := upper(coalesce(class, 'SERVER')); wanted text := upper(permission);
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN RETURN 1; END IF;
    IF wanted LIKE 'VIEW % STATE' THEN RETURN pg_has_role(session_user, lower(replace(wanted, ' ', '_')), 'member')::int; END IF;
    IF kind = 'SCHEMA' THEN RETURN has_schema_privilege(session_user, securable, 'USAGE')::int; END IF;
    id := sys.object_id(securable)::oid;
    IF id IS NULL THEN RETURN NULL; END IF;
    IF EXISTS (SELECT 1 FROM pg_proc WHERE oid = id) THEN RETURN has_function_privilege(session_user, id, 'EXECUTE')::int; END IF;
    RETURN has_table_privilege(session_user, id, wanted)::int;
END $$;
