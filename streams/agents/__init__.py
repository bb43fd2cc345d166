"""I/O of the stream processors: each agent wires a pure decision to one effect."""
