"""Rollouts with several candidates: what is kept of rollouts, judgements and routes is written as it is read from now on."""

from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_Json = dict[str, Any]


def upgrade() -> None:
    """Go to this revision."""
    _rewrite("rollouts", ("sequence",), "rollout", _several)
    _rewrite("routes", ("alias",), "mirror", _mirror_of_several)
    _rewrite("rollout_judgements", ("rollout", "generation"), "judgement", lambda judgement: {"candidate": judgement})
    op.execute("ALTER TABLE rollout_judgements RENAME COLUMN judgement TO judgements")


def downgrade() -> None:
    """Go back; of several candidates the first stays."""
    op.execute("ALTER TABLE rollout_judgements RENAME COLUMN judgements TO judgement")
    _rewrite("rollout_judgements", ("rollout", "generation"), "judgement", lambda judged: next(iter(judged.values())))
    _rewrite("routes", ("alias",), "mirror", _mirror_of_one)
    _rewrite("rollouts", ("sequence",), "rollout", _one)


def _rewrite(table: str, key: tuple[str, ...], column: str, rewritten: Callable[[_Json], _Json]) -> None:
    columns: dict[str, sa.ColumnClause[Any]] = {name: sa.column(name) for name in (*key, column)}
    rows = sa.table(table, *columns.values())
    connection = op.get_bind()
    for row in connection.execute(sa.select(rows).where(columns[column].is_not(None))).all():
        text = msgspec.json.encode(rewritten(msgspec.json.decode(getattr(row, column)))).decode()
        this = [columns[name] == getattr(row, name) for name in key]
        connection.execute(sa.update(rows).where(*this).values({column: text}))


def _several(rollout: _Json) -> _Json:
    candidate = {"collection": rollout.pop("candidate"), "build": rollout["spec"].pop("build", None)}
    return rollout | {"candidates": [candidate], "chosen": "candidate" if rollout.pop("promoted", False) else ""}


def _one(rollout: _Json) -> _Json:
    first = rollout.pop("candidates")[0]
    rollout["spec"]["build"] = first.get("build")
    return rollout | {"candidate": first["collection"], "promoted": bool(rollout.pop("chosen", ""))}


def _mirror_of_several(mirror: _Json) -> _Json:
    return mirror | {"collections": {"candidate": mirror.pop("collection")}}


def _mirror_of_one(mirror: _Json) -> _Json:
    return mirror | {"collection": next(iter(mirror.pop("collections").values()))}
