"""The AX database: its tables, and the business documents stored in them."""
