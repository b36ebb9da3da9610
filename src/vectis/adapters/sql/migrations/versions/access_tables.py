"""Principals, own roles, keys, sessions, and whether access control is on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "access_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("signing_keys", sa.Text, nullable=False),
    )
    op.create_table(
        "principals",
        sa.Column("name", _KEY, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("grants", sa.Text, nullable=False),
        sa.Column("tenant", _KEY, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_table(
        "roles", sa.Column("name", _KEY, primary_key=True), sa.Column("permissions", sa.Text, nullable=False)
    )
    op.create_table(
        "api_keys",
        sa.Column("id", _KEY, primary_key=True),
        sa.Column("principal", _KEY, sa.ForeignKey("principals.name", ondelete="CASCADE"), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("addresses", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME),
        sa.Column("last_used_at", _TIME),
        sa.Column("revoked_at", _TIME),
    )
    op.create_index("api_keys_by_principal", "api_keys", ["principal", "created_at"])
    op.create_table(
        "sessions",
        sa.Column("id", _KEY, primary_key=True),
        sa.Column("principal", _KEY, sa.ForeignKey("principals.name", ondelete="CASCADE"), nullable=False),
        sa.Column("refreshes", sa.BigInteger, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("refreshed_at", _TIME),
        sa.Column("expires_at", _TIME, nullable=False),
    )
    op.create_index("sessions_by_principal", "sessions", ["principal", "created_at"])
    op.create_index("sessions_by_expiry", "sessions", ["expires_at"])


def downgrade() -> None:
    """Go back."""
    for table in ("sessions", "api_keys", "roles", "principals", "access_state"):
        op.drop_table(table)
