"""Stories share one way to a running server."""

from serving import http, server, start_server  # noqa: F401
