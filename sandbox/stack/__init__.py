"""Real parts on loopback: Kafka, schema registry, Prometheus; process supervision."""
