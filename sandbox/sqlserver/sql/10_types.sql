-- SQL Server's types that PostgreSQL lacks, as binary twins of its own types: the wire format, the operators and the
-- indexes are those of the twin, but the type has its own OID, so that a result column can be described exactly.
CREATE SCHEMA dbo; CREATE SCHEMA sys; CREATE SCHEMA cdc; CREATE SCHEMA msdb;
GRANT USAGE ON SCHEMA dbo, sys, msdb TO PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- SQL Server's default collation ignores case and respects accents.
CREATE COLLATION sys.ci_as (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE TYPE sys.datetime;
CREATE FUNCTION sys.datetime_in(cstring, oid, int) RETURNS sys.datetime IMMUTABLE STRICT LANGUAGE internal AS 'timestamp_in';
CREATE FUNCTION sys.datetime_out(sys.datetime) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'timestamp_out';
CREATE FUNCTION sys.datetime_recv(internal, oid, int) RETURNS sys.datetime IMMUTABLE STRICT LANGUAGE internal AS 'timestamp_recv';
CREATE FUNCTION sys.datetime_send(sys.datetime) RETURNS bytea IMMUTABLE STRICT LANGUAGE internal AS 'timestamp_send';
CREATE TYPE sys.datetime (INPUT = sys.datetime_in, OUTPUT = sys.datetime_out, RECEIVE = sys.datetime_recv,
    SEND = sys.datetime_send, LIKE = timestamp, CATEGORY = 'D');
CREATE CAST (sys.datetime AS timestamp) WITHOUT FUNCTION AS IMPLICIT;
-- The type holds 1/300 s: every value is rounded when it is assigned.
CREATE FUNCTION sys.to_datetime(timestamp) RETURNS sys.datetime IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT (date_trunc('second', $1)
            + make_interval(secs => round(extract(microseconds FROM $1) % 1000000 * 3 / 10000) / 300.0))::text::sys.datetime $$;
CREATE CAST (timestamp AS sys.datetime) WITH FUNCTION sys.to_datetime(timestamp) AS ASSIGNMENT;
CREATE FUNCTION sys.date_to_datetime(date) RETURNS sys.datetime IMMUTABLE STRICT LANGUAGE sql AS 'SELECT $1::text::sys.datetime';
CREATE CAST (date AS sys.datetime) WITH FUNCTION sys.date_to_datetime(date) AS ASSIGNMENT;
CREATE FUNCTION sys.datetime_to_date(sys.datetime) RETURNS date IMMUTABLE STRICT LANGUAGE sql AS 'SELECT $1::timestamp::date';
CREATE CAST (sys.datetime AS date) WITH FUNCTION sys.datetime_to_date(sys.datetime) AS ASSIGNMENT;

CREATE FUNCTION sys.length_in(cstring[]) RETURNS int IMMUTABLE STRICT LANGUAGE internal AS 'varchartypmodin';
CREATE FUNCTION sys.length_out(int) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'varchartypmodout';

CREATE TYPE sys.varbinary;
CREATE FUNCTION sys.varbinary_in(cstring) RETURNS sys.varbinary IMMUTABLE STRICT LANGUAGE internal AS 'byteain';
CREATE FUNCTION sys.varbinary_out(sys.varbinary) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'byteaout';
CREATE FUNCTION sys.varbinary_recv(internal) RETURNS sys.varbinary IMMUTABLE STRICT LANGUAGE internal AS 'bytearecv';
CREATE FUNCTION sys.varbinary_send(sys.varbinary) RETURNS bytea IMMUTABLE STRICT LANGUAGE internal AS 'byteasend';
CREATE TYPE sys.varbinary (INPUT = sys.varbinary_in, OUTPUT = sys.varbinary_out, RECEIVE = sys.varbinary_recv,
    SEND = sys.varbinary_send, TYPMOD_IN = sys.length_in, TYPMOD_OUT = sys.length_out, LIKE = bytea);
CREATE CAST (sys.varbinary AS bytea) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (bytea AS sys.varbinary) WITHOUT FUNCTION AS ASSIGNMENT;

CREATE TYPE sys."binary";
CREATE FUNCTION sys.binary_in(cstring) RETURNS sys."binary" IMMUTABLE STRICT LANGUAGE internal AS 'byteain';
CREATE FUNCTION sys.binary_out(sys."binary") RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'byteaout';
CREATE FUNCTION sys.binary_recv(internal) RETURNS sys."binary" IMMUTABLE STRICT LANGUAGE internal AS 'bytearecv';
CREATE FUNCTION sys.binary_send(sys."binary") RETURNS bytea IMMUTABLE STRICT LANGUAGE internal AS 'byteasend';
CREATE TYPE sys."binary" (INPUT = sys.binary_in, OUTPUT = sys.binary_out, RECEIVE = sys.binary_recv,
    SEND = sys.binary_send, TYPMOD_IN = sys.length_in, TYPMOD_OUT = sys.length_out, LIKE = bytea);
CREATE CAST (sys."binary" AS bytea) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (bytea AS sys."binary") WITHOUT FUNCTION AS ASSIGNMENT;

-- Length rules of binary(n) and varbinary(n): longer values are refused (2628), binary(n) is padded with zeros.
-- The typmod is n + 4, as for varchar.
CREATE FUNCTION sys.raise_error(number int, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', message USING ERRCODE = 'TSQL1', DETAIL = number::text; END $$;
CREATE FUNCTION sys.varbinary_length(sys.varbinary, int, boolean) RETURNS sys.varbinary IMMUTABLE STRICT LANGUAGE plpgsql AS $$
BEGIN
    IF length($1::bytea) > $2 - 4 THEN
        IF $3 THEN RETURN substring($1::bytea FOR $2 - 4)::sys.varbinary; END IF;
        PERFORM sys.raise_error(2628, 'String or binary data would be truncated.');
    END IF;
    RETURN $1;
END $$;
CREATE CAST (sys.varbinary AS sys.varbinary) WITH FUNCTION sys.varbinary_length(sys.varbinary, int, boolean) AS IMPLICIT;
CREATE FUNCTION sys.binary_length(sys."binary", int, boolean) RETURNS sys."binary" IMMUTABLE STRICT LANGUAGE plpgsql AS $$
DECLARE n int := length($1::bytea);
BEGIN
    IF n = $2 - 4 THEN RETURN $1; END IF;
    IF n < $2 - 4 THEN RETURN ($1::bytea || decode(repeat('00', $2 - 4 - n), 'hex'))::sys."binary"; END IF;
    IF $3 THEN RETURN substring($1::bytea FOR $2 - 4)::sys."binary"; END IF;
    PERFORM sys.raise_error(2628, 'String or binary data would be truncated.');
END $$;
CREATE CAST (sys."binary" AS sys."binary") WITH FUNCTION sys.binary_length(sys."binary", int, boolean) AS IMPLICIT;

-- SQL Server has MIN and MAX over binary values and uniqueidentifiers.
CREATE FUNCTION sys.greater(bytea, bytea) RETURNS bytea IMMUTABLE STRICT LANGUAGE sql AS 'SELECT greatest($1, $2)';
CREATE FUNCTION sys.lesser(bytea, bytea) RETURNS bytea IMMUTABLE STRICT LANGUAGE sql AS 'SELECT least($1, $2)';
CREATE AGGREGATE sys.max(bytea) (SFUNC = sys.greater, STYPE = bytea);
CREATE AGGREGATE sys.min(bytea) (SFUNC = sys.lesser, STYPE = bytea);
CREATE FUNCTION sys.greater(sys."binary", sys."binary") RETURNS sys."binary" IMMUTABLE STRICT LANGUAGE sql AS 'SELECT greatest($1::bytea, $2::bytea)::sys."binary"';
CREATE FUNCTION sys.lesser(sys."binary", sys."binary") RETURNS sys."binary" IMMUTABLE STRICT LANGUAGE sql AS 'SELECT least($1::bytea, $2::bytea)::sys."binary"';
CREATE AGGREGATE sys.max(sys."binary") (SFUNC = sys.greater, STYPE = sys."binary");
CREATE AGGREGATE sys.min(sys."binary") (SFUNC = sys.lesser, STYPE = sys."binary");

-- SQL Server converts these implicitly; PostgreSQL only when told.
UPDATE pg_cast SET castcontext = 'i' WHERE castsource = 'int4'::regtype AND casttarget = 'bool'::regtype;
CREATE FUNCTION sys.int8_to_bool(int8) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT $1 <> 0';
CREATE CAST (int8 AS bool) WITH FUNCTION sys.int8_to_bool(int8) AS ASSIGNMENT;
UPDATE pg_cast SET castcontext = 'a' WHERE castsource = 'bool'::regtype AND casttarget = 'int4'::regtype;
CREATE CAST (text AS int8) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS int4) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS numeric) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS timestamp) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS sys.datetime) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS uuid) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS date) WITH INOUT AS ASSIGNMENT;

-- A character outside the basic plane takes two of the n of nvarchar(n). No more units than UTF-8 bytes exist, so
-- the costly count is only made for values whose bytes could be too many.
CREATE FUNCTION sys.utf16_length(text) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT length($1) + length(regexp_replace($1 COLLATE "C", '[^\U00010000-\U0010FFFF]', '', 'g')) $$;

-- SQL Server's name of a type.
CREATE FUNCTION sys.type_name(type oid, modifier int) RETURNS varchar STABLE LANGUAGE sql AS $$
    SELECT CASE format_type(type, NULL)
        WHEN 'bigint' THEN 'bigint' WHEN 'integer' THEN 'int' WHEN 'smallint' THEN 'smallint' WHEN 'boolean' THEN 'bit'
        WHEN 'numeric' THEN 'numeric' WHEN 'double precision' THEN 'float' WHEN 'real' THEN 'real'
        WHEN 'sys.datetime' THEN 'datetime' WHEN 'datetime' THEN 'datetime' WHEN 'timestamp without time zone' THEN 'datetime2'
        WHEN 'timestamp with time zone' THEN 'datetimeoffset' WHEN 'date' THEN 'date' WHEN 'time without time zone' THEN 'time'
        WHEN 'uuid' THEN 'uniqueidentifier' WHEN 'bytea' THEN 'varbinary' WHEN 'sys.varbinary' THEN 'varbinary' WHEN 'varbinary' THEN 'varbinary'
        WHEN 'sys."binary"' THEN 'binary' WHEN 'sys.binary' THEN 'binary' WHEN '"binary"' THEN 'binary'
        WHEN 'character' THEN 'nchar' ELSE 'nvarchar' END::varchar $$;

-- A column's type as SQL Server's: `nvarchar(20)`, `varbinary(max)`, `numeric(32,16)`. The type that a column was declared
-- with is its comment, since PostgreSQL has fewer types; what was made by other means has the type of its twin.
CREATE FUNCTION sys.sized_type(type oid, modifier int) RETURNS varchar STABLE LANGUAGE sql AS $$
    SELECT (n.name || CASE
        WHEN n.name IN ('nvarchar', 'nchar', 'varbinary', 'binary') THEN CASE WHEN type = 'name'::regtype THEN '(128)' WHEN modifier > 4 THEN format('(%s)', modifier - 4)
             WHEN n.name = 'binary' THEN '(10)' WHEN n.name = 'varbinary' AND type <> 'bytea'::regtype THEN '(8000)' ELSE '(max)' END
        WHEN n.name = 'numeric' THEN CASE WHEN modifier > 4 THEN format('(%s,%s)', ((modifier - 4) >> 16) & 65535, (modifier - 4) & 65535) ELSE '(38,0)' END
        WHEN n.name IN ('datetime2', 'time', 'datetimeoffset') THEN format('(%s)', CASE WHEN modifier >= 0 THEN modifier ELSE 7 END) ELSE '' END)::varchar
      FROM sys.type_name(type, modifier) n (name) $$;

-- rowversion: one counter for the database, drawn by every insert and update.
CREATE SEQUENCE sys.rowversion START 2001;
CREATE FUNCTION sys.next_rowversion() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN
    RETURN jsonb_populate_record(NEW, jsonb_build_object(TG_ARGV[0], '\x' || lpad(to_hex(nextval('sys.rowversion')), 16, '0')));
END $$;
