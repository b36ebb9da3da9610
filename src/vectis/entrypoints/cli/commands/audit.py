"""`vectis audit`: who did what, what was refused, and whether the record is whole."""

import json
from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from vectis.entrypoints.cli.exits import FAILED, perform
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import Api
from vectis.entrypoints.cli.server.connection import ask, connect
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import console, moment, notes, print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["audit"][1])
PAGE = 1000

Actor = Annotated[str | None, typer.Option(help="Only what this principal did or tried.")]
Action = Annotated[str | None, typer.Option(help="Only this operation, e.g. create_collection.")]
Decision = Annotated[str | None, typer.Option(help="Only allowed, done, refused or failed.")]
Since = Annotated[datetime | None, typer.Option(help="Not before this time (UTC).")]
Until = Annotated[datetime | None, typer.Option(help="Before this time (UTC).")]


@app.command("list", epilog="Example: vectis audit list --decision refused --limit 50")
def list_entries(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=PAGE, help="How many.")] = 20,
    actor: Actor = None,
    action: Action = None,
    decision: Decision = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """List entries, newest first."""
    question = _question(actor, action, decision, since, until)
    answer = ask(lambda api: api.get("/audit", limit=limit, **question), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    print_table(
        ("number:", "time", "actor", "action", "resource", "decision", "from", "times:", "reason"),
        [
            (
                entry["sequence"],
                moment(act["at"]),
                act["actor"],
                act["action"],
                act["resource"],
                act["decision"],
                act["address"],
                act["times"],
                act["reason"],
            )
            for entry in answer["entries"]
            for act in (entry["act"],)
        ],
    )


@app.command(epilog="Example: vectis audit verify")
def verify(as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Check the whole chain; fails when an entry was changed, removed, added or cut off."""
    answer = ask(lambda api: api.post("/audit/verify", timeout_s=None), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
    elif answer["holds"]:
        console.print(f"{answer['entries']} entries, whole and in order")
    else:
        for fault in answer["faults"]:
            console.print(f"fault: {fault}")
    if not answer["holds"]:
        raise typer.Exit(FAILED)


@app.command(epilog="Example: vectis audit export --since 2026-01-01 -o audit.jsonl")
def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; standard output when not given.")
    ] = None,
    actor: Actor = None,
    action: Action = None,
    decision: Decision = None,
    since: Since = None,
    until: Until = None,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Write entries as JSON lines, newest first."""
    question = _question(actor, action, decision, since, until)

    async def write() -> int:
        count = 0
        with nullcontext(typer.get_text_stream("stdout")) if output is None else output.open("w") as lines:
            async with connect(url, data_dir) as api:
                async for entry in _all(api, question):
                    lines.write(json.dumps(entry, ensure_ascii=False) + "\n")
                    count += 1
        return count

    notes.print(f"{perform(write(), as_json=False)} entries")


async def _all(api: Api, question: dict[str, str | None]) -> AsyncIterator[Any]:
    before: int | None = None
    while True:
        page = await api.get("/audit", limit=PAGE, before=before, **question)
        for entry in page["entries"]:
            yield entry
        before = page["next_before"]
        if before is None:
            return


def _question(
    actor: str | None, action: str | None, decision: str | None, since: datetime | None, until: datetime | None
) -> dict[str, str | None]:
    return {
        "actor": actor,
        "action": action,
        "decision": decision,
        "since": since and f"{since.isoformat()}Z",
        "until": until and f"{until.isoformat()}Z",
    }
