"""SQL Server stand-in: TDS over PostgreSQL, with change data capture."""
