"""Alembic runs this file: migrations go over the connection that `migrate` holds, inside its transaction."""

from alembic import context

from vectis.adapters.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
