"""Vectis: a search server that a team can operate. The floors are drawn in docs/architecture.md."""

__version__ = "0.1.0"
