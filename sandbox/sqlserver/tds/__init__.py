"""The Tabular Data Stream protocol, version 7.4 (and 8.0: the same inside TLS). Source: Microsoft's [MS-TDS]."""
