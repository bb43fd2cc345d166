-- What freshax needs in AX's database: run by a member of sysadmin, once. It can be run again.
-- Least rights: the reader reads these tables and the change feed, and writes nothing.
-- sqlcmd puts in AX_DATABASE and READER_PASSWORD, from its environment:
--   AX_DATABASE=MicrosoftDynamicsAX READER_PASSWORD=… sqlcmd -b -S server -E -i enable-cdc.sql
:on error exit
USE [$(AX_DATABASE)];
GO

-- 1. Enable change data capture on the database. SQL Server Agent must run: its job reads the transaction log. Needs
-- sysadmin.
IF NOT EXISTS (SELECT 1 FROM sys.databases WHERE database_id = DB_ID() AND is_cdc_enabled = 1)
    EXEC sys.sp_cdc_enable_db;
GO

-- 2. Allow SNAPSHOT isolation (recommended). A first load then reads one moment without a lock; without it, page by
-- page. Waits for open transactions.
ALTER DATABASE [$(AX_DATABASE)] SET ALLOW_SNAPSHOT_ISOLATION ON;
GO

-- 3. Capture dbo.CUSTTABLE. Net changes are not needed and would slow the capture job.
IF NOT EXISTS (SELECT 1 FROM cdc.change_tables WHERE source_object_id = OBJECT_ID(N'[dbo].[CUSTTABLE]'))
    EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'CUSTTABLE', @role_name = NULL,
        @supports_net_changes = 0;
GO

-- 4. Capture dbo.DIRPARTYTABLE. Net changes are not needed and would slow the capture job.
IF NOT EXISTS (SELECT 1 FROM cdc.change_tables WHERE source_object_id = OBJECT_ID(N'[dbo].[DIRPARTYTABLE]'))
    EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'DIRPARTYTABLE', @role_name = NULL,
        @supports_net_changes = 0;
GO

-- 5. The reader's login freshax_reader. Its own login, no server role, no database role: freshax reads, and writes
-- nothing.
IF SUSER_ID(N'freshax_reader') IS NULL
    CREATE LOGIN [freshax_reader] WITH PASSWORD = N'$(READER_PASSWORD)', DEFAULT_DATABASE = [$(AX_DATABASE)];
GO

-- 6. The reader's user freshax_reader. What is granted below, is granted to it.
IF DATABASE_PRINCIPAL_ID(N'freshax_reader') IS NULL
    CREATE USER [freshax_reader] FOR LOGIN [freshax_reader];
GO

-- 7. Grant SELECT ON OBJECT::dbo.CUSTTABLE. To read dbo.CUSTTABLE: its snapshot and its changes.
GRANT SELECT ON OBJECT::[dbo].[CUSTTABLE] TO [freshax_reader];
GO

-- 8. Grant SELECT ON OBJECT::dbo.DIRPARTYTABLE. To read dbo.DIRPARTYTABLE: its snapshot and its changes.
GRANT SELECT ON OBJECT::[dbo].[DIRPARTYTABLE] TO [freshax_reader];
GO

-- 9. Grant SELECT ON OBJECT::dbo.CUSTINVOICETABLE. To see which free-text invoices AX holds, which its service
-- cannot tell.
GRANT SELECT ON OBJECT::[dbo].[CUSTINVOICETABLE] TO [freshax_reader];
GO

-- 10. Grant SELECT ON OBJECT::dbo.LEDGERJOURNALTABLE. To see which journals AX holds, which their service cannot
-- tell.
GRANT SELECT ON OBJECT::[dbo].[LEDGERJOURNALTABLE] TO [freshax_reader];
GO

-- 11. Grant SELECT ON OBJECT::dbo.VENDTRANS. To see which vendor invoices AX has posted.
GRANT SELECT ON OBJECT::[dbo].[VENDTRANS] TO [freshax_reader];
GO

-- 12. Grant SELECT ON OBJECT::dbo.PARTITIONS. To find the number of a partition key.
GRANT SELECT ON OBJECT::[dbo].[PARTITIONS] TO [freshax_reader];
GO

-- 13. Grant SELECT ON SCHEMA::cdc. To read the change tables and the CDC catalog.
GRANT SELECT ON SCHEMA::cdc TO [freshax_reader];
GO

-- 14. Grant VIEW DATABASE STATE (recommended). To read the health of the capture job.
GRANT VIEW DATABASE STATE TO [freshax_reader];
GO

-- 15. Let the reader see the settings of the CDC jobs (recommended). How long changes are kept: without it nobody
-- knows when they are lost.
USE [msdb];
GO
IF DATABASE_PRINCIPAL_ID(N'freshax_reader') IS NULL
    CREATE USER [freshax_reader] FOR LOGIN [freshax_reader];
GRANT SELECT ON OBJECT::[dbo].[cdc_jobs] TO [freshax_reader];
GO

-- 16. Let the capture job look more often (recommended). A change waits up to 5 seconds for it. It reads its
-- settings when it starts. Should it not run (yet), stopping it fails, and does no harm: run this step again a
-- minute later.
USE [$(AX_DATABASE)];
GO
:on error ignore
EXEC sys.sp_cdc_change_job @job_type = N'capture', @pollinginterval = 1;
EXEC sys.sp_cdc_stop_job @job_type = N'capture';
EXEC sys.sp_cdc_start_job @job_type = N'capture';
GO
