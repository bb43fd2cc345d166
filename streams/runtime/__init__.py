"""What every process needs below agents and connectors: settings, logs, metrics, health, Kafka."""
