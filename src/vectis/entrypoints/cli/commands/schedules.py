"""`vectis schedules`: jobs that are recorded at set times."""

from typing import Annotated, Any

import typer

from vectis.domain.errors import InvalidInput
from vectis.domain.schedules import Missed
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import Api, path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import moment, print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["schedules"][1])
Name = Annotated[str, typer.Argument(help="Schedule.")]
PLAN = ("cron", "kind", "payload", "enabled", "missed")


@app.command("list", epilog="Example: vectis schedules list")
def list_schedules(as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """List schedules, when they fire next, and what they did last. Times are UTC."""
    answer = ask(lambda api: api.get("/schedules"), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            s["name"],
            s["cron"],
            s["kind"],
            s["payload"].get("collection"),
            s["missed"],
            moment(s["next_at"]) if s["enabled"] else "off",
            moment(s["last_at"]),
            s["last_job"],
        )
        for s in answer["schedules"]
    ]
    print_table(("name", "cron", "kind", "collection", "missed", "next", "last", "last job"), rows)


@app.command(
    "set", epilog="Example: vectis schedules set tidy-docs --cron '0 4 * * *' --kind optimize --collection docs"
)
def set_schedule(
    name: Name,
    cron: Annotated[
        str | None, typer.Option(help="Minute, hour, day, month and weekday, in UTC; 0 4 * * 1 is Mondays at 4.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="The kind of job: optimize, expire_jobs.")] = None,
    collection: Annotated[str | None, typer.Option(help="The collection that the job works on.")] = None,
    missed: Annotated[
        Missed | None, typer.Option(help="What to do about times at which no worker was there.  \\[default: run_once]")
    ] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it fires.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Make a schedule, or change what is given of one that is there."""
    payload = None if collection is None else {"collection": collection}
    given = {"cron": cron, "kind": kind, "payload": payload, "missed": missed and missed.value, "enabled": enabled}

    async def work(api: Api) -> Any:
        there: list[dict[str, Any]] = (await api.get("/schedules"))["schedules"]
        plan = {part: s[part] for s in there if s["name"] == name for part in PLAN}
        plan |= {part: value for part, value in given.items() if value is not None}
        if not {"cron", "kind"} <= plan.keys():
            raise InvalidInput(f"there is no schedule {name!r}: give --cron and --kind to make it")
        return await api.put("/schedules" + path_of(name), plan)

    answer = ask(work, url, data_dir, as_json=as_json)
    next_at = answer["next_at"]
    _say(answer, f"{name} fires next at {moment(next_at)} UTC" if next_at else f"{name} is off", as_json=as_json)


@app.command(epilog="Example: vectis schedules remove tidy-docs")
def remove(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Remove a schedule; the jobs that it recorded stay."""
    _say(
        ask(lambda api: api.delete("/schedules" + path_of(name)), url, data_dir, as_json=as_json),
        f"removed {name}",
        as_json=as_json,
    )


@app.command(epilog="Example: vectis schedules run expire-jobs")
def run(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Record a schedule's job now."""
    answer = ask(lambda api: api.post("/schedules" + path_of(name) + "/run"), url, data_dir, as_json=as_json)
    _say(answer, f"job {answer['id']}", as_json=as_json)


def _say(answer: Any, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        typer.echo(text)
