"""The SOAP side of the port: envelopes, validation, documents in and out, faults."""
