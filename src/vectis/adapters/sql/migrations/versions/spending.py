"""What days have cost."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "spending",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("cost", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("spending")
