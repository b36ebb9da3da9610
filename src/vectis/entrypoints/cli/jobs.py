"""`vectis jobs`: background work as the server records it."""

import asyncio
from time import monotonic
from typing import Annotated, Any

import typer

from vectis.domain.errors import DeadlineExceeded
from vectis.entrypoints.cli.api import Api, member, path_of
from vectis.entrypoints.cli.connection import connect
from vectis.entrypoints.cli.exits import FAILED, perform
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.output import moment, print_facts, print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["jobs"][1])
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]
POLL_S = 0.25
ENDED = ("done", "dead")


@app.command("list", epilog="Example: vectis jobs list --limit 5")
def list_jobs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """List jobs, newest first."""

    async def ask() -> Any:
        async with connect(url, data_dir) as api:
            return await api.get("/jobs", limit=limit, kind=kind)

    answer = perform(ask(), as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        _show(answer["jobs"])


@app.command(epilog="Example: vectis jobs show 0192f0c1-...")
def show(job: JobId, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Show one job: its state, progress, and why it failed if it did."""

    async def ask() -> Any:
        async with connect(url, data_dir) as api:
            return await api.get("/jobs" + path_of(job))

    _show_one(perform(ask(), as_json=as_json), as_json=as_json)


@app.command(epilog="Example: vectis jobs wait 0192f0c1-... --timeout 60")
def wait(
    job: JobId,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait.")] = 600.0,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Wait until a job has ended; fails when it is dead."""

    async def ask() -> Any:
        async with connect(url, data_dir) as api:
            return await until_ended(api, job, timeout_s=timeout)

    ended = perform(ask(), as_json=as_json)
    _show_one(ended, as_json=as_json)
    if ended["state"] == "dead":
        raise typer.Exit(FAILED)


async def until_ended(api: Api, job: str, *, timeout_s: float) -> Any:
    """The job once it is done or dead; DeadlineExceeded after `timeout_s`, while the job goes on."""
    deadline = monotonic() + timeout_s
    while (seen := await api.get("/jobs" + path_of(job)))["state"] not in ENDED:
        if monotonic() >= deadline:
            raise DeadlineExceeded(f"job {job} is still {seen['state']} after {timeout_s:g} s; it goes on")
        await asyncio.sleep(POLL_S)  # HTTP has no word for "when it ends"
    return seen


def _show(jobs: list[Any]) -> None:
    print_table(
        ("id", "kind", "state", "progress", "attempt:", "created", "error"),
        [
            (
                j["id"],
                j["kind"],
                j["state"],
                _progress(j["progress"]),
                j["attempt"],
                moment(j["created_at"]),
                j["error"],
            )
            for j in jobs
        ],
    )


def _show_one(job: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    times = {"created": moment(job["created_at"]), "finished": moment(job["finished_at"])}
    facts = {name: job[name] for name in ("id", "kind", "state", "attempt", "error")}
    print_facts({**facts, "progress": _progress(job["progress"]), **times})


def _progress(progress: dict[str, Any]) -> str:
    counts = " ".join(f"{name} {count}" for name, count in member(progress, "counts").items() if count)
    return f"{progress['done']}/{progress['total']} {progress['unit']} {counts}".strip()
