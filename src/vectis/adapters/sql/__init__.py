"""The control store on SQLAlchemy: SQLite and PostgreSQL."""
