"""Measurements that are run by hand: see each folder's README."""
