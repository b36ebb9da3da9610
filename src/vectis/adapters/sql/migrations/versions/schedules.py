"""Schedules."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "schedules",
        sa.Column("name", _KEY, primary_key=True),
        sa.Column("next_at", sa.DateTime(timezone=True)),
        sa.Column("schedule", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("schedules")
