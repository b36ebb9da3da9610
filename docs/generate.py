"""Writes the pages of docs/reference from the code: `make docs`. A test holds the committed pages equal to what this makes.

A page is one function that gives Markdown, and its entry in PAGES.
"""

import inspect
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args, get_origin

import msgspec
import typer

from vectis import __version__
from vectis.adapters.cached.answers import CachedAnswers
from vectis.adapters.cached.embeddings import CachedEmbeddings, EmbeddingBounds
from vectis.adapters.prometheus.engine_stats import EngineStats
from vectis.adapters.prometheus.gains import Gains
from vectis.adapters.prometheus.job_queues import JobQueues
from vectis.adapters.prometheus.metrics import COST_TODAY, STORED_VECTORS, ProcessMetrics
from vectis.adapters.prometheus.recall import RecallMetrics
from vectis.adapters.prometheus.rollout_standings import RolloutStandings
from vectis.adapters.prometheus.shortcuts import ShortcutMetrics
from vectis.adapters.redis.answers import RedisAnswers
from vectis.adapters.redis.limiter import RedisLimiter
from vectis.adapters.redis.link import LinkBounds, RedisLink
from vectis.adapters.system.clock import SystemClock
from vectis.adapters.traffic.log import TrafficLog
from vectis.domain import errors
from vectis.domain.jobs import JobStats
from vectis.entrypoints.cli.exits import EXIT_CODES
from vectis.entrypoints.cli.main import COMMANDS, load
from vectis.entrypoints.rest.openapi import document
from vectis.entrypoints.rest.problems import STATUS
from vectis.entrypoints.rest.routes import OPERATIONS
from vectis.runtime.secret import Secret, SecretUrl
from vectis.runtime.settings import ALIASES, Settings
from vectis.search.hypothesis import Hypotheses, Spending
from vectis.search.interleaving import Interleaving
from vectis.search.shadows import Shadows

NO_STATS = {"collections": {}, "failures": 0, "flush_failures": 0, "resident_bytes": 0, "disk_free_bytes": 0}
SHOWN_TYPES = {Secret: "secret", SecretUrl: "secret URL"}
NO_JOBS = JobStats(datetime.now(UTC), {}, None, [], [])
FOLDER = Path(__file__).parent / "reference"


def error_page() -> str:
    """Every error: code, what it means, how each surface says it."""
    found: list[tuple[int, type[errors.VectisError]]] = []

    def walk(error: type[errors.VectisError], depth: int) -> None:
        found.append((depth, error))
        for below in error.__subclasses__():
            walk(below, depth + 1)

    walk(errors.VectisError, 0)
    rows = [
        (f"{'&nbsp;&nbsp;' * depth}`{error.code}`", first_line(error), str(STATUS.get(error, 500)), str(EXIT_CODES[error.code]))
        for depth, error in found
    ]  # fmt: skip
    return page(
        "Errors",
        "Over HTTP an error is a problem (RFC 9457) whose `code` is one of these; the codes never change meaning. "
        "An error set in below another is a case of it. The command line ends with the exit code.",
        table(("code", "means", "HTTP", "exit"), rows),
    )


def settings_page() -> str:
    """Every setting with its key and default."""
    aliases: dict[tuple[str, str], list[str]] = {}
    for key, place in ALIASES.items():
        aliases.setdefault(place, []).append(f"`{key}`")
    parts: list[str] = []
    for section in msgspec.structs.fields(Settings):
        owner = section.name
        rows = [
            (
                f"`{owner}.{field.name}`",
                f"`VECTIS_{owner}__{field.name}`".upper(),
                ", ".join(aliases.get((owner, field.name), ())),
                type_name(field.type),
                f"`{field.default}`" if str(field.default) else "empty",
            )
            for field in msgspec.structs.fields(section.type)
        ]
        parts.append(f"## {owner}\n\n{inspect.getdoc(section.type)}\n\n")
        parts.append(table(("setting", "environment", "also understood", "type", "default"), rows) + "\n\n")
    return page(
        "Settings",
        "Where values come from and how they are changed: [configuration](../configuration.md). A key of the environment may "
        "end with `_FILE` or `_COMMAND`: the value then stands in that file, or is what that command prints.",
        "".join(parts).rstrip("\n"),
    )


def route_page() -> str:
    """Every route of the REST surface."""
    rows = [
        (f"`{o.method}`", f"`{o.path}`", o.summary, str(o.status), f"`{o.permission}`" if o.permission else "anyone")
        for o in OPERATIONS
    ]
    return page(
        "Routes",
        "The REST surface. `GET /openapi.json` of a running server describes bodies and answers.",
        table(("method", "path", "does", "status", "needs"), rows),
    )


def command_page() -> str:
    """Every command with its options."""
    parts = ["", ""]
    for name, (module, summary) in COMMANDS.items():
        parts += [f"## vectis {name}", "", summary, ""]
        command: Any = load(module)
        for usage, one in leaves(f"vectis {name}", command):
            context = typer.Context(one, info_name=usage)
            parts += [f"`{' '.join(one.get_usage(context).split()).removeprefix('Usage: ')}`", ""]
            records = [record for p in one.get_params(context) if (record := p.get_help_record(context)) is not None]
            parts += (
                [table(("option", "means"), [(f"`{flag}`", means.replace("\\[", "[")) for flag, means in records]), ""]
                if records
                else []
            )
    return page("Commands", "Each command explains itself with `--help`.", "\n".join(parts).strip("\n"))


def leaves(usage: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Each command at or below one, with the words that call it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield usage, command
    for title, one in sorted((below or {}).items()):
        yield from leaves(f"{usage} {title}", one)


def openapi_page() -> str:
    """The OpenAPI document, indented."""
    return json.dumps(json.loads(document()), indent=1) + "\n"


def metrics_page() -> str:
    """Every metric that Vectis itself exports."""
    metrics = ProcessMetrics(__version__)
    RecallMetrics(metrics.registry)
    ShortcutMetrics(metrics.registry)
    families = [
        *Gains({}).collect(),
        *metrics.registry.collect(),
        *JobQueues(NO_JOBS).collect(),
        *RolloutStandings([], {}, datetime.now(UTC)).collect(),
        *EngineStats(NO_STATS).collect(),
    ]
    names = {
        f.name: (f"`{f.name}{'_total' if f.type == 'counter' else ''}`", f.type, f.documentation) for f in families
    }
    none = cast(Any, None)
    embeddings = CachedEmbeddings(none, SystemClock(), EmbeddingBounds())
    answers = CachedAnswers(none, none, SystemClock(), none, none, bytes_max=0, ttl_s=1, look_every_s=1)
    link = RedisLink("redis://127.0.0.1", LinkBounds())
    tier = RedisAnswers(link, SystemClock(), namespace="", ttl_s=1, write_after_s=1)
    shadows = Shadows(directory=none, log=none, clock=SystemClock(), spare=none, rules=none)
    spending = Spending(none, SystemClock(), price_per_million_tokens=0, cost_per_day_max=0)
    hypotheses = Hypotheses(none, none, spending, SystemClock(), ttl_s=1)
    kept_by_others = [
        (f"`vectis_{prefix}_{name}`", "counter" if name.endswith("_total") else "gauge", means)
        for prefix, means, counts in (
            ("embedding_cache", "The cache of vectors", embeddings.counts()),
            ("embedding_cache", STORED_VECTORS, {"stored_entries": 0, "stored_bytes": 0}),
            ("answer_cache", "The cache of answers", answers.counts()),
            ("answer_tier", "The tier of answers that processes share", tier.counts()),
            ("limits", "Counting requests together", RedisLimiter(link, none).counts()),
            ("redis", "The link to the Redis server", link.counts()),
            ("hyde", "Hypothetical answers", hypotheses.counts()),
            ("hyde", COST_TODAY, {"cost_today": 0}),
            ("shadow", "Queries asked of both variants of an alias", shadows.counts()),
            ("interleaved", "Searches asked of both variants of an alias", Interleaving(none).counts()),
            (
                "traffic",
                "Reports of the traffic of rollouts",
                TrafficLog(none, none, SystemClock(), reporter="").counts(),
            ),
        )
        for name in counts
    ]
    return page(
        "Metrics",
        "`GET /metrics` joins those of all processes of a server; the label `process` says whose they are. "
        "Units are seconds and bytes.",
        table(("metric", "type", "means"), sorted([*names.values(), *kept_by_others])),
    )


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": command_page,
    "errors.md": error_page,
    "metrics.md": metrics_page,
    "openapi.json": openapi_page,
    "routes.md": route_page,
    "settings.md": settings_page,
}


def page(title: str, lead: str, body: str) -> str:
    """A whole page."""
    return f"# {title}\n\nMade from the code by `make docs`.\n\n{lead}\n\n{body}\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; bars within cells are escaped."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def first_line(documented: type) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(documented) or "").splitlines()[0]


def type_name(annotation: Any) -> str:
    """How a setting's type is shown to people."""
    choices = get_args(annotation)
    if get_origin(annotation) is tuple:
        return f"list of {type_name(choices[0])}"
    if choices:
        return ", ".join(f"`{choice or 'empty'}`" for choice in choices)
    return SHOWN_TYPES.get(annotation, annotation.__name__)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
        print(f"docs/reference/{name}")
