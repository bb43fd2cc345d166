-- What freshax needs in AX's database, once, by a member of sysadmin. It can be run again.
-- sqlcmd puts in AX_DATABASE and READER_PASSWORD, from its environment:
--   AX_DATABASE=MicrosoftDynamicsAX READER_PASSWORD=… sqlcmd -b -S server -E -i enable-cdc.sql
-- Least rights: the reader reads four tables and the change feed, and writes nothing.
:on error exit
USE [$(AX_DATABASE)];
GO

-- Change data capture. SQL Server Agent must run: it reads the log.
IF NOT EXISTS (SELECT 1 FROM sys.databases WHERE database_id = DB_ID() AND is_cdc_enabled = 1)
    EXEC sys.sp_cdc_enable_db;
GO
IF NOT EXISTS (SELECT 1 FROM cdc.change_tables WHERE source_object_id = OBJECT_ID(N'dbo.CUSTTABLE'))
    EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'CUSTTABLE', @role_name = NULL,
        @supports_net_changes = 0;
GO
-- A customer's name is in its party.
IF NOT EXISTS (SELECT 1 FROM cdc.change_tables WHERE source_object_id = OBJECT_ID(N'dbo.DIRPARTYTABLE'))
    EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'DIRPARTYTABLE', @role_name = NULL,
        @supports_net_changes = 0;
GO

-- The reader: its own login, no server role, no database role.
IF SUSER_ID(N'freshax_reader') IS NULL
    CREATE LOGIN freshax_reader WITH PASSWORD = N'$(READER_PASSWORD)', DEFAULT_DATABASE = [$(AX_DATABASE)];
GO
IF DATABASE_PRINCIPAL_ID(N'freshax_reader') IS NULL
    CREATE USER freshax_reader FOR LOGIN freshax_reader;
GO
GRANT SELECT ON OBJECT::dbo.CUSTTABLE TO freshax_reader;
GRANT SELECT ON OBJECT::dbo.DIRPARTYTABLE TO freshax_reader;
-- Which free-text invoices and journals AX holds, and which vendor invoices it has posted: the services that make them
-- cannot be asked.
GRANT SELECT ON OBJECT::dbo.CUSTINVOICETABLE TO freshax_reader;
GRANT SELECT ON OBJECT::dbo.LEDGERJOURNALTABLE TO freshax_reader;
GRANT SELECT ON OBJECT::dbo.VENDTRANS TO freshax_reader;
GRANT SELECT ON OBJECT::dbo.PARTITIONS TO freshax_reader;
GRANT SELECT ON SCHEMA::cdc TO freshax_reader;
GRANT VIEW DATABASE STATE TO freshax_reader;
GO

-- How long changes are kept. Without it the headroom metric is only a lower bound.
USE msdb;
GO
IF DATABASE_PRINCIPAL_ID(N'freshax_reader') IS NULL
    CREATE USER freshax_reader FOR LOGIN freshax_reader;
GO
GRANT SELECT ON OBJECT::dbo.cdc_jobs TO freshax_reader;
GO
