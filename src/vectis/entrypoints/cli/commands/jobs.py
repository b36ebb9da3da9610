"""`vectis jobs`: background work as the server records it."""

from typing import Annotated, Any

import typer
from rich.text import Text

from vectis.entrypoints.cli.exits import FAILED
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import Api, member, path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.server.jobs import ENDED, until_ended
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import console, moment, notes, print_facts, print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["jobs"][1])
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]
OfKind = Annotated[str | None, typer.Option(help="Only jobs of this kind.")]
OfQueue = Annotated[str | None, typer.Option(help="Only jobs of this queue.")]


@app.command("list", epilog="Example: vectis jobs list --limit 5")
def list_jobs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    kind: OfKind = None,
    state: Annotated[str | None, typer.Option(help="Only pending, running, done, dead or cancelled ones.")] = None,
    queue: OfQueue = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """List jobs, newest first."""
    answer = ask(
        lambda api: api.get("/jobs", limit=limit, kind=kind, state=state, queue=queue), url, data_dir, as_json=as_json
    )
    if as_json:
        print_json(answer)
    else:
        _show(answer["jobs"])


@app.command(epilog="Example: vectis jobs show 0192f0c1-...")
def show(
    job: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", help="Tell each change on standard error until it has ended.")
    ] = False,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Show one job: its state, progress, and why it failed if it did."""

    async def work(api: Api) -> Any:
        if follow:
            await _follow(api, job)
        return await api.get("/jobs" + path_of(job))

    _show_one(ask(work, url, data_dir, as_json=as_json), as_json=as_json)


@app.command(epilog="Example: vectis jobs wait 0192f0c1-... --timeout 60")
def wait(
    job: JobId,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait.")] = 600.0,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Wait until a job has ended; fails when it is not done."""
    ended = ask(lambda api: until_ended(api, job, timeout_s=timeout), url, data_dir, as_json=as_json)
    _show_one(ended, as_json=as_json)
    if ended["state"] != "done":
        raise typer.Exit(FAILED)


@app.command(epilog="Example: vectis jobs retry 0192f0c1-...; vectis jobs retry --all-dead --kind ingest")
def retry(
    job: Annotated[str | None, typer.Argument(metavar="ID", help="A dead or cancelled job.")] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Every dead job.")] = False,
    kind: OfKind = None,
    queue: OfQueue = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Let a dead or cancelled job run again, or all dead ones."""
    if (job is None) != all_dead:
        raise typer.BadParameter("give the ID of a job, or --all-dead")

    async def work(api: Api) -> Any:
        if job is None:
            return await api.post("/jobs/retry", {"kind": kind, "queue": queue})
        return await api.post("/jobs" + path_of(job) + "/retry")

    answer = ask(work, url, data_dir, as_json=as_json)
    _say(answer, f"{len(answer['jobs'])} jobs run again" if job is None else f"{job} runs again", as_json=as_json)


@app.command(epilog="Example: vectis jobs cancel 0192f0c1-...")
def cancel(job: JobId, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """End a job: at once when it waits, at its next report when it runs."""
    answer = ask(lambda api: api.post("/jobs" + path_of(job) + "/cancel"), url, data_dir, as_json=as_json)
    text = "cancelled" if answer["state"] == "cancelled" else "will end at its next report"
    _say(answer, f"{job} {text}", as_json=as_json)


@app.command(epilog="Example: vectis jobs recover --worker web-7-1")
def recover(
    worker: Annotated[
        str | None, typer.Option(help="A worker that is dead for certain; its jobs are freed now.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Free jobs that no worker holds any more, without waiting for another worker to find them."""
    answer = ask(lambda api: api.post("/jobs/recover", {"worker": worker}), url, data_dir, as_json=as_json)
    _say(answer, f"{len(answer['jobs'])} jobs wait for another worker", as_json=as_json)


@app.command(epilog="Example: vectis jobs stats")
def stats(as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Show the health of the queues: counts, how long jobs wait and run, and the workers."""
    answer = ask(lambda api: api.get("/jobs/stats"), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    counts = {state: answer[state] for state in ("pending", "running", "done", "dead", "cancelled")}
    print_facts(
        {**{state: str(count) for state, count in counts.items()}, "oldest waits s": answer["oldest_pending_age_s"]}
    )
    print_table(
        ("kind", "jobs:", "p50 s:", "p95 s:", "max s:"),
        [(k["kind"], k["jobs"], k["run_s_p50"], k["run_s_p95"], k["run_s_max"]) for k in answer["kinds"]],
    )
    print_table(
        ("worker", "host", "pid:", "running:", "at most:", "MiB:", "seen s ago:", "queues"),
        [
            (
                w["name"],
                w["host"],
                w["pid"],
                w["running"],
                w["jobs_max"],
                w["memory_bytes"] >> 20,
                w["seen_age_s"],
                ", ".join(w["queues"]) or "all",
            )
            for w in answer["workers"]
        ],
    )


async def _follow(api: Api, job: str) -> None:
    state = ""
    while state not in ENDED:  # a stream has its time
        async for seen in api.events("/jobs" + path_of(job) + "/events"):
            state = seen["state"]
            notes.print(f"{state} {_progress(seen['progress'])}", markup=False)


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
    times = {name: moment(job[f"{name}_at"]) for name in ("created", "due", "started", "finished")}
    facts = {name: job[name] for name in ("id", "kind", "queue", "state", "attempt", "worker", "error")}
    print_facts({**facts, "progress": _progress(job["progress"]), **times})
    for line in job.get("log", []):
        console.print(Text(f"{moment(line['at'])}  attempt {line['attempt']}  {line['text']}"))


def _say(answer: Any, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        typer.echo(text)


def _progress(progress: dict[str, Any]) -> str:
    counts = " ".join(f"{name} {count}" for name, count in member(progress, "counts").items() if count)
    return f"{progress['done']}/{progress['total']} {progress['unit']} {counts}".strip()
