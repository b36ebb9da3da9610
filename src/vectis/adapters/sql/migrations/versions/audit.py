"""The audit: its entries, and where it ends."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", _KEY, nullable=False),
        sa.Column("action", _KEY, nullable=False),
        sa.Column("resource", _KEY, nullable=False),
        sa.Column("tenant", _KEY, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
    )
    op.create_index("audit_by_actor", "audit", ["actor", "sequence"])
    op.create_index("audit_by_action", "audit", ["action", "sequence"])
    op.create_table(
        "audit_head",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
        sa.Column("mark", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Go back."""
    for table in ("audit_head", "audit"):
        op.drop_table(table)
