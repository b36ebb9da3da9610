"""The embedded engine: Qdrant Edge in a process of its own, reached over a Unix socket."""
