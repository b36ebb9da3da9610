"""Jobs: queues, priorities, keys, cancelling, logs; and who works."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_UNFINISHED = sa.text("state IN ('pending', 'running')")
_COLUMNS = ("queue", "priority", "key", "started_at", "cancel_asked", "attempts_before")


def upgrade() -> None:
    """Go to this revision."""
    op.add_column("jobs", sa.Column("queue", sa.Text, nullable=False, server_default="default"))
    op.add_column("jobs", sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("key", _KEY))
    op.add_column("jobs", sa.Column("started_at", _TIME))
    op.add_column("jobs", sa.Column("cancel_asked", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("attempts_before", sa.Integer, nullable=False, server_default="0"))
    op.create_index("jobs_by_key", "jobs", ["key"], unique=True, sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED)
    op.create_table(
        "job_lines",
        sa.Column("number", _SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("job", _KEY, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("job_lines_by_job", "job_lines", ["job", "number"])
    op.create_table(
        "workers",
        sa.Column("name", _KEY, primary_key=True),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("workers")
    op.drop_table("job_lines")
    op.drop_index("jobs_by_key", "jobs")
    with op.batch_alter_table("jobs") as jobs:
        for column in _COLUMNS:
            jobs.drop_column(column)
