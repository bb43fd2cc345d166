"""Embedded stack, strict simulators of both ends, scenarios. Never part of a deployment."""
