"""The first tables: collections, routes, documents, jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "collections",
        sa.Column("name", _KEY, primary_key=True),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("bm25", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "routes",
        sa.Column("alias", _KEY, primary_key=True),
        sa.Column("targets", sa.Text),
        sa.Column("salt", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "documents",
        sa.Column("collection", _KEY, sa.ForeignKey("collections.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("id", _KEY, primary_key=True),
        sa.Column("source", _KEY, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("indexed_revision", sa.BigInteger, nullable=False),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("chunks", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("documents_by_source", "documents", ["collection", "source", "id"])
    op.create_table(
        "jobs",
        sa.Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("id", _KEY, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("progress", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("created_at", _TIME),
        sa.Column("finished_at", _TIME),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("held_until", _TIME),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "sequence"])


def downgrade() -> None:
    """Go back."""
    for table in ("jobs", "documents", "routes", "collections"):
        op.drop_table(table)
