"""The verbs of `vectis rollout`: what people do to a rollout that is under way, or was."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vectis.entrypoints.cli.server.api import path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import moment, print_facts, print_json
from vectis.entrypoints.cli.terminal.rollout_view import standing

app = typer.Typer(add_completion=False)
RolloutId = Annotated[str, typer.Argument(metavar="ID", help="The rollout's id.")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why, for its history.")]
NeededReason = Annotated[str, typer.Option("--reason", "-m", help="Why; needed, since this goes past a judgement.")]


@app.command(epilog="Example: vectis rollout pause 0f3c... -m 'wait for the team in Lisbon'")
def pause(
    rollout: RolloutId,
    reason: Reason = "",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Keep the traffic as it is until resume."""
    _change(rollout, "pause", {"reason": reason}, url, data_dir, as_json=as_json)


@app.command(epilog="Example: vectis rollout resume 0f3c...")
def resume(
    rollout: RolloutId,
    reason: Reason = "",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Go on; a stage that has had its time gets its least duration once more."""
    _change(rollout, "resume", {"reason": reason}, url, data_dir, as_json=as_json)


@app.command(epilog="Example: vectis rollout promote 0f3c... -m 'figures looked through' --full")
def promote(
    rollout: RolloutId,
    reason: NeededReason,
    full: Annotated[bool, typer.Option("--full", help="All traffic to the candidate, past all stages.")] = False,
    variant: Annotated[
        str, typer.Option(help="With --full: the variant of an experiment; else the one that it decided for.")
    ] = "",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Go to the next stage, or give the candidate all traffic."""
    body = {"reason": reason, "variant": variant}
    _change(rollout, "promote_full" if full else "promote", body, url, data_dir, as_json=as_json)


@app.command(epilog="Example: vectis rollout abort 0f3c... -m 'prices are missing' --variant small")
def abort(
    rollout: RolloutId,
    reason: Reason = "",
    variant: Annotated[str, typer.Option(help="Take this variant of an experiment out; the others go on.")] = "",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Give the stable collection all traffic; before promotion."""
    _change(rollout, "abort", {"reason": reason, "variant": variant}, url, data_dir, as_json=as_json)


@app.command(epilog="Example: vectis rollout retry 0f3c... -m 'the embedder is back'")
def retry(
    rollout: RolloutId,
    reason: Reason = "",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Begin an aborted rollout again, from the beginning."""
    _change(rollout, "retry", {"reason": reason}, url, data_dir, as_json=as_json)


@app.command(epilog="Example: vectis rollout extend 0f3c... --by 3600")
def extend(
    rollout: RolloutId,
    by: Annotated[float | None, typer.Option("--by", help="Seconds; else the stage's least duration.")] = None,
    reason: Reason = "",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Give a stage more time."""
    _change(rollout, "extend", {"reason": reason, "by_s": by}, url, data_dir, as_json=as_json)


@app.command(epilog="Example: vectis rollout skip 0f3c... -m 'the test queries are outdated'")
def skip(
    rollout: RolloutId,
    reason: NeededReason,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Count what is measured in this step or stage no more; its least duration stays."""
    _change(rollout, "skip", {"reason": reason}, url, data_dir, as_json=as_json)


@app.command(epilog="Example: vectis rollout undo 0f3c... -m 'prices are missing'")
def undo(
    rollout: RolloutId,
    reason: Reason = "",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Take a promotion back: all traffic to the collection that served before."""
    _change(rollout, "undo", {"reason": reason}, url, data_dir, as_json=as_json)


def show_standing(rollout: dict[str, Any], *, as_json: bool) -> None:
    """Where a rollout stands, as the server tells it."""
    if as_json:
        print_json(rollout)
        return
    decision = rollout["decision"]
    at_stage = f" {rollout['stage'] + 1} of {len(rollout['spec']['stages'])}" if rollout["step"] == "stage" else ""
    print_facts(
        {name: rollout[name] for name in ("id", "alias", "phase")}
        | {"step": rollout["step"] + at_stage, "stable": rollout["stable"]}
        | {_called(rollout, each): standing(each) for each in rollout["candidates"]}
        | {"promoted": rollout["chosen"] or "nothing", "attempt": rollout["attempt"], "reason": rollout["reason"]}
        | ({"decision": decision["reason"]} if decision else {})
        | {"since": moment(rollout["since"])}
    )


def _called(rollout: dict[str, Any], candidate: dict[str, Any]) -> str:
    return candidate["variant"] if len(rollout["candidates"]) == 1 else f"variant {candidate['variant']}"


def _change(rollout: str, verb: str, body: dict[str, Any], url: str | None, data_dir: Path, *, as_json: bool) -> None:
    path = "/rollouts" + path_of(rollout, verb)
    show_standing(ask(lambda api: api.post(path, body), url, data_dir, as_json=as_json), as_json=as_json)
