"""Routes whose answers are mixed of both variants."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Go to this revision."""
    op.add_column("routes", sa.Column("interleave_percent", sa.Float, nullable=False, server_default="0"))


def downgrade() -> None:
    """Go back."""
    op.drop_column("routes", "interleave_percent")
