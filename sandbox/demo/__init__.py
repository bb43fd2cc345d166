"""The demo: plays a scenario against the whole pipeline in the sandbox, and reconciles both ends afterwards."""
