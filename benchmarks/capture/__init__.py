"""`freshax capture` beside Debezium."""
