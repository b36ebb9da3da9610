"""Adapters that stand where nothing is installed and say so."""
