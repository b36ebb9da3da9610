"""Trying a server: judged queries, and load."""
