"""A stand-in for SQL Server with Change Data Capture: TDS in front, PostgreSQL behind. See README.md."""

from sandbox.sqlserver.capture_job import CaptureJob
from sandbox.sqlserver.errors import SqlError
from sandbox.sqlserver.faults import Faults
from sandbox.sqlserver.server import SqlServer

__all__ = ["CaptureJob", "Faults", "SqlError", "SqlServer"]
