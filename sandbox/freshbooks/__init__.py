"""Simulator of the FreshBooks API."""
