"""Secrets in private files of the data folder."""
