"""Judgements of rollouts, and which worker moves them on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "rollout_judgements",
        sa.Column("rollout", _KEY, sa.ForeignKey("rollouts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("judgement", sa.Text, nullable=False),
    )
    op.create_table(
        "rollout_lead",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("worker", _KEY, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Go back."""
    for table in ("rollout_lead", "rollout_judgements"):
        op.drop_table(table)
