"""Asking outsiders over HTTP."""
