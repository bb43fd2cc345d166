-- The tables of schema cdc. The schema is called cdc_disabled until sp_cdc_enable_db renames it.
CREATE TABLE cdc.change_tables (
    object_id int PRIMARY KEY, version int, source_object_id int NOT NULL,
    capture_instance varchar(128) COLLATE sys.ci_as NOT NULL UNIQUE,
    start_lsn sys."binary"(10), end_lsn sys."binary"(10), supports_net_changes boolean, has_drop_pending boolean,
    role_name varchar(128), index_name varchar(128), filegroup_name varchar(128), create_date sys.datetime,
    partition_switch boolean NOT NULL);
CREATE TABLE cdc.captured_columns (
    object_id int NOT NULL, column_name varchar(128) COLLATE sys.ci_as NOT NULL, column_id int, column_type varchar(128) NOT NULL,
    column_ordinal int NOT NULL, is_computed boolean, masking_function varchar(4000), PRIMARY KEY (object_id, column_ordinal));
CREATE TABLE cdc.index_columns (
    object_id int NOT NULL, column_name varchar(128) COLLATE sys.ci_as NOT NULL, index_ordinal smallint NOT NULL, column_id int NOT NULL,
    PRIMARY KEY (object_id, index_ordinal));
CREATE TABLE cdc.ddl_history (
    source_object_id int, object_id int NOT NULL, required_column_update boolean, ddl_command text,
    ddl_lsn sys."binary"(10) NOT NULL, ddl_time sys.datetime);
CREATE TABLE cdc.lsn_time_mapping (
    start_lsn sys."binary"(10) PRIMARY KEY, tran_begin_time sys.datetime, tran_end_time sys.datetime,
    tran_id sys.varbinary(10), tran_begin_lsn sys."binary"(10));
CREATE INDEX lsn_time_mapping_nonunique_idx ON cdc.lsn_time_mapping (tran_end_time);

-- The Agent's jobs; sandboxes poll faster than once a second, so the interval is kept exactly and shown as bigint.
CREATE TABLE sys.jobs (
    job_type varchar(20) PRIMARY KEY, job_id uuid NOT NULL, maxtrans int, maxscans int, continuous boolean,
    interval_seconds numeric(12, 3), retention bigint, threshold bigint,
    changed boolean NOT NULL DEFAULT false);
CREATE VIEW msdb.cdc_jobs AS
    SELECT (SELECT oid::int FROM pg_database WHERE datname = current_database()) AS database_id, job_type, job_id, maxtrans,
           maxscans, continuous, trunc(interval_seconds)::bigint AS pollinginterval, retention, threshold FROM sys.jobs;

-- Filled by the capture job, the first when somebody asks for it.
CREATE UNLOGGED TABLE sys.scan_sessions (
    session_id int, start_time sys.datetime, end_time sys.datetime, duration bigint, scan_phase varchar(200), error_count int,
    start_lsn varchar(23), current_lsn varchar(23), end_lsn varchar(23), tran_count bigint, last_commit_lsn varchar(23),
    last_commit_time sys.datetime, log_record_count bigint, schema_change_count int, command_count bigint,
    first_begin_cdc_lsn varchar(23), last_commit_cdc_lsn varchar(23), last_commit_cdc_time sys.datetime, latency int,
    empty_scan_count int, failed_sessions_count int);
CREATE VIEW sys.dm_cdc_log_scan_sessions AS SELECT * FROM sys.scan_sessions;
CREATE TABLE sys.scan_errors (
    session_id int, phase_number int, entry_time sys.datetime, error_number int, error_severity int, error_state int,
    error_message varchar(1024), start_lsn varchar(23), begin_lsn varchar(23), sequence_value varchar(23));
CREATE VIEW sys.dm_cdc_errors AS SELECT * FROM sys.scan_errors;
CREATE UNLOGGED TABLE sys.services (servicename varchar(256), status int, status_desc varchar(256), startup_type_desc varchar(256));
CREATE VIEW sys.dm_server_services AS SELECT * FROM sys.services;

-- Database options that ALTER DATABASE changes.
CREATE TABLE sys.options (name varchar(60) PRIMARY KEY, is_on boolean NOT NULL);
INSERT INTO sys.options VALUES ('allow_snapshot_isolation', true);

-- 4 + 4 + 2 bytes: log file, block, slot. PostgreSQL's position fills the first eight; the file number is raised so
-- that no real position looks like zero. Slot 0 is a mark, 1 a commit, from 2 on a change.
CREATE FUNCTION sys.lsn(place pg_lsn, slot int) RETURNS sys."binary" IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT decode(lpad(to_hex(trunc((place - '0/0') / 4294967296)::bigint + 32), 8, '0') || lpad(to_hex(((place - '0/0') % 4294967296)::bigint), 8, '0')
                  || lpad(to_hex(slot), 4, '0'), 'hex')::sys."binary" $$;
