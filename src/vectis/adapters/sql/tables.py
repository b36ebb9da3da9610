"""The tables of the control store. Migrations make them; a test holds both equal."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = sa.MetaData()

Key = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text that orders by code point in both databases."""

Sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A 64-bit number that the database counts up; SQLite counts only what is called INTEGER."""


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept as UTC. SQLite has no time zones, so there it is kept without one."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        if value is None:
            return None
        try:
            value = value.astimezone(UTC)
        except OverflowError:  # within a day of the first or the last time that there is
            value = value.replace(tzinfo=UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


collections = sa.Table(
    "collections",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("bm25", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("deletion", sa.Text),
    sa.Column("removing_until", UtcTime),
)
"""`revision` is the last one given to a document, so that a document put again after its removal gets a higher one.

One with a `deletion` is hidden. Until `removing_until` it is being removed, by one process."""

search_settings = sa.Table(
    "search_settings",
    metadata,
    sa.Column("collection", Key, sa.ForeignKey("collections.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("settings", sa.Text, nullable=False),
)
"""Every version since the first change, that of the creation included; the collection's profile holds the newest."""

routes = sa.Table(
    "routes",
    metadata,
    sa.Column("alias", Key, primary_key=True),
    sa.Column("targets", sa.Text),
    sa.Column("salt", sa.Text, nullable=False),
    sa.Column("followers", sa.Text, nullable=False, server_default="[]"),
    sa.Column("mirror", sa.Text),
    sa.Column("interleave_percent", sa.Float, nullable=False, server_default="0"),
    sa.Column("version", sa.BigInteger, nullable=False),
)
"""A removed route stays with `targets` NULL, so that its version goes on when the alias comes back."""

divergences = sa.Table(
    "divergences",
    metadata,
    sa.Column("collection", Key, sa.ForeignKey("collections.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("missed", sa.BigInteger, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("collection", Key, sa.ForeignKey("collections.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("id", Key, primary_key=True),
    sa.Column("source", Key, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("indexed_revision", sa.BigInteger, nullable=False),
    sa.Column("pipeline", sa.Text, nullable=False),
    sa.Column("chunks", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("documents_by_source", "collection", "source", "id"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", Key, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("progress", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("created_at", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("worker", sa.Text),
    sa.Column("held_until", UtcTime),
    sa.Column("queue", sa.Text, nullable=False, server_default="default"),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("key", Key),
    sa.Column("started_at", UtcTime),
    sa.Column("cancel_asked", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("attempts_before", sa.Integer, nullable=False, server_default="0"),
    sa.Index("jobs_by_state", "state", "sequence"),
)
"""`sequence` is the order in which jobs were recorded.

No worker takes a job before `held_until`: that is the lease of the `worker` that runs it, the pause after a failure, or the time
that a pending job is due. `attempts_before` counts those before the last retry by hand.
"""

UNFINISHED_SQL = "state IN ('pending', 'running')"

sa.Index(
    "jobs_by_key", jobs.c.key, unique=True,
    sqlite_where=sa.text(UNFINISHED_SQL), postgresql_where=sa.text(UNFINISHED_SQL),
)  # fmt: skip

job_lines = sa.Table(
    "job_lines",
    metadata,
    sa.Column("number", Sequence, primary_key=True, autoincrement=True),
    sa.Column("job", Key, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Index("job_lines_by_job", "job", "number"),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.Column("report", sa.Text, nullable=False),
)

embeddings = sa.Table(
    "embeddings",
    metadata,
    sa.Column("profile", Key, primary_key=True),
    sa.Column("text_hash", sa.LargeBinary, primary_key=True),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("cost_us", sa.BigInteger, nullable=False),
    sa.Column("used_at", UtcTime, nullable=False),
    sa.Index("embeddings_by_use", "used_at", "size"),
)
"""A cache: it may be emptied at any time. The index holds all that counting and trimming need, so that they read no vector."""

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", Key, nullable=False),
    sa.Column("action", Key, nullable=False),
    sa.Column("resource", Key, nullable=False),
    sa.Column("tenant", Key, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("act", sa.Text, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
    sa.Index("audit_by_actor", "actor", "sequence"),
    sa.Index("audit_by_action", "action", "sequence"),
)
"""`act` is what was sealed; the columns beside it are for finding entries."""

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
    sa.Column("mark", sa.Text, nullable=False),
)
"""One row: where the audit ends. Writers hold it while they append."""

access_state = sa.Table(
    "access_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("signing_keys", sa.Text, nullable=False),
)
"""One row once access control is on, none before. Every change of identities takes it first, so they come one by one."""

principals = sa.Table(
    "principals",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("grants", sa.Text, nullable=False),
    sa.Column("tenant", Key, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("contact", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
)

roles = sa.Table(
    "roles",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("permissions", sa.Text, nullable=False),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("principal", Key, sa.ForeignKey("principals.name", ondelete="CASCADE"), nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("addresses", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("last_used_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
    sa.Index("api_keys_by_principal", "principal", "created_at"),
)
"""`digest` is the keyed hash of the key's text, which is kept nowhere."""

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("principal", Key, sa.ForeignKey("principals.name", ondelete="CASCADE"), nullable=False),
    sa.Column("refreshes", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("refreshed_at", UtcTime),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Index("sessions_by_principal", "principal", "created_at"),
    sa.Index("sessions_by_expiry", "expires_at"),
)
"""A session that was ended has no row."""

rollouts = sa.Table(
    "rollouts",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", Key, nullable=False, unique=True),
    sa.Column("alias", Key, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("rollout", sa.Text, nullable=False),
    sa.Index("rollouts_by_alias", "alias", "sequence"),
)
"""`rollout` is the whole of it; the columns beside it are for finding it. `sequence` is the order in which they began."""

rollout_transitions = sa.Table(
    "rollout_transitions",
    metadata,
    sa.Column("rollout", Key, sa.ForeignKey("rollouts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("stage", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

traffic_ticks = sa.Table(
    "traffic_ticks",
    metadata,
    sa.Column("alias", Key, primary_key=True),
    sa.Column("route_version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("started", UtcTime, primary_key=True),
    sa.Column("variant", Key, primary_key=True),
    sa.Column("reporter", Key, primary_key=True),
    sa.Column("tick", sa.Text, nullable=False),
    sa.Column("keys", sa.LargeBinary, nullable=False),
    sa.Index("traffic_ticks_by_age", "started"),
)
"""`keys` are hashes of 64 bits, in order."""

shadow_pairs = sa.Table(
    "shadow_pairs",
    metadata,
    sa.Column("alias", Key, primary_key=True),
    sa.Column("route_version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("reporter", Key, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("pair", sa.Text, nullable=False),
    sa.Index("shadow_pairs_by_age", "at"),
)

feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("alias", Key, primary_key=True),
    sa.Column("route_version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("query", Key, primary_key=True),
    sa.Column("result", Key, primary_key=True),
    sa.Column("kind", Key, primary_key=True),
    sa.Column("key", sa.BigInteger, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("opinion", sa.Text, nullable=False),
    sa.Index("feedback_by_key", "alias", "route_version", "key"),
    sa.Index("feedback_by_age", "at"),
)
"""`opinion` is the whole of it. `key` and `result` are keyed hashes of a routing key and of a result's id."""

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("next_at", UtcTime),
    sa.Column("schedule", sa.Text, nullable=False),
)
"""`schedule` is the whole of it, and is replaced only as it was read; `next_at` is for finding those that are due."""

rollout_judgements = sa.Table(
    "rollout_judgements",
    metadata,
    sa.Column("rollout", Key, sa.ForeignKey("rollouts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("judgements", sa.Text, nullable=False),
)
"""`judgements` are by variant."""

rollout_lead = sa.Table(
    "rollout_lead",
    metadata,
    sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("worker", Key, nullable=False),
    sa.Column("until", UtcTime, nullable=False),
)
"""One row at most: the worker that moves rollouts on, until a time."""

spending = sa.Table(
    "spending",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("cost", sa.Float, nullable=False),
)
"""A row for each day on which something was spent."""

gains = sa.Table(
    "gains",
    metadata,
    sa.Column("collection", Key, sa.ForeignKey("collections.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("mode", Key, primary_key=True),
    sa.Column("against", Key, primary_key=True),
    sa.Column("gain", sa.Text, nullable=False),
)
"""`gain` is the whole of it."""
