"""Bringing documents to a server: what is sent, in which batches, and what is removed."""
