"""Feedback about answers of aliases that are shared out."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "feedback",
        sa.Column("alias", _KEY, primary_key=True),
        sa.Column("route_version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("query", _KEY, primary_key=True),
        sa.Column("result", _KEY, primary_key=True),
        sa.Column("kind", _KEY, primary_key=True),
        sa.Column("key", sa.BigInteger, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opinion", sa.Text, nullable=False),
    )
    op.create_index("feedback_by_key", "feedback", ["alias", "route_version", "key"])
    op.create_index("feedback_by_age", "feedback", ["at"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("feedback")
