"""Metrics with prometheus_client, and the exchange that joins those of all processes of a server."""
