"""What modes of search gain in a collection."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "gains",
        sa.Column("collection", _KEY, sa.ForeignKey("collections.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("mode", _KEY, primary_key=True),
        sa.Column("against", _KEY, primary_key=True),
        sa.Column("gain", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("gains")
