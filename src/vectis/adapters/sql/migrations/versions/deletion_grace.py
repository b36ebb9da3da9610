"""Collections that are hidden until they are removed."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Go to this revision."""
    op.add_column("collections", sa.Column("deletion", sa.Text))
    op.add_column("collections", sa.Column("removing_until", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Go back."""
    op.drop_column("collections", "removing_until")
    op.drop_column("collections", "deletion")
