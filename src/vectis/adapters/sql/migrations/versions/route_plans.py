"""Routes of rollouts: followers and mirrors; collections that missed writes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Go to this revision."""
    op.add_column("routes", sa.Column("followers", sa.Text, nullable=False, server_default="[]"))
    op.add_column("routes", sa.Column("mirror", sa.Text))
    op.create_table(
        "divergences",
        sa.Column("collection", _KEY, sa.ForeignKey("collections.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("missed", sa.BigInteger, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("divergences")
    op.drop_column("routes", "mirror")
    op.drop_column("routes", "followers")
