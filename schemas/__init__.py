"""Leaf of the import graph: Avro schemas, typed records, topics, positions, failure classes."""
