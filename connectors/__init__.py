"""The two ends: FreshBooks over REST and webhooks, Dynamics AX over AIF and SQL Server CDC."""
