"""Ingest: from files and documents to chunks and points. Reads sources, parses, cuts, embeds, writes; never searches."""
