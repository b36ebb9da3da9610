"""Traffic of aliases under rollout: ticks, and queries asked of both variants."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "traffic_ticks",
        sa.Column("alias", _KEY, primary_key=True),
        sa.Column("route_version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("started", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("variant", _KEY, primary_key=True),
        sa.Column("reporter", _KEY, primary_key=True),
        sa.Column("tick", sa.Text, nullable=False),
        sa.Column("keys", sa.LargeBinary, nullable=False),
    )
    op.create_index("traffic_ticks_by_age", "traffic_ticks", ["started"])
    op.create_table(
        "shadow_pairs",
        sa.Column("alias", _KEY, primary_key=True),
        sa.Column("route_version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("reporter", _KEY, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pair", sa.Text, nullable=False),
    )
    op.create_index("shadow_pairs_by_age", "shadow_pairs", ["at"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("shadow_pairs")
    op.drop_table("traffic_ticks")
