"""`vectis doctor`: looks at everything that a server needs here and says what to do about what is missing."""

import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.text import Text

from vectis.domain.errors import PermissionDenied, Unauthenticated, VectisError
from vectis.entrypoints.cli.exits import FAILED, perform
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import Api, path_of
from vectis.entrypoints.cli.server.connection import connect
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import console, print_json
from vectis.runtime.configuration.loading import load
from vectis.runtime.data_folder import holder

app = typer.Typer(add_completion=False)
PYTHONS = ((3, 11), (3, 14))
FREE_BYTES_NEEDED = 100_000_000
FREE_BYTES_GOOD = 1_000_000_000
REMEDIES = {"embedder": "vectis models install minilm; until then search works with BM25 alone"}
STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


class Examined(msgspec.Struct, frozen=True):
    """What one look found. `warning`: it works, but not as well as it could."""

    name: str
    state: Literal["ok", "warning", "failed"]
    detail: str
    remedy: str = ""


@app.command(help=COMMANDS["doctor"][1], epilog="Example: vectis doctor --data-dir /srv/vectis")
def doctor(
    config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="TOML or YAML file of settings.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Look at one thing after the other; a server is asked, or started for a moment when none holds the data folder."""
    found = [_python(), _packages(), _settings(config, data_dir)]
    if url is None:
        found += [_folder(data_dir), _disk(data_dir), _socket(), _holder(data_dir)]
    if not any(each.state == "failed" for each in found):
        found += perform(_server(url, data_dir), as_json=as_json)
    failed = any(each.state == "failed" for each in found)
    if as_json:
        print_json({"healthy": not failed, "checks": msgspec.to_builtins(found)})
    else:
        _show(found, failed=failed)
    if failed:
        raise typer.Exit(FAILED)


def _show(found: list[Examined], *, failed: bool) -> None:
    width = max(len(each.name) for each in found)
    for each in found:
        console.print(Text.assemble((f"{each.state:<8}", STYLES[each.state]), f"{each.name:<{width}}  {each.detail}"))
        if each.remedy:
            console.print(Text(f"{'':<8}{'':<{width}}  -> {each.remedy}", "bold"))
    console.print("something that is needed failed" if failed else "ready: vectis serve, or vectis ingest SOURCE")


def _python() -> Examined:
    lowest, beyond = PYTHONS
    running = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    if lowest <= sys.version_info[:2] < beyond:
        return Examined("python", "ok", running)
    return Examined("python", "failed", running, "use Python 3.11, 3.12 or 3.13")


def _packages() -> Examined:
    versions: dict[str, str] = {}
    missing: list[str] = []
    for name in _required("vectis"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Examined("packages", "failed", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    telling = ("qdrant-edge-py", "onnxruntime", "sqlalchemy", "starlette", "uvicorn")
    shown = ", ".join(f"{name} {versions[name]}" for name in telling if name in versions)
    return Examined("packages", "ok", f"{len(versions)} present; {shown}")


def _required(package: str) -> Iterator[str]:
    """Names of the packages that `package` needs here, optional extras not counted."""
    for requirement in requires(package) or ():
        name = re.match(r"[\w.-]+", requirement)
        if name and "extra ==" not in requirement and not (os.name == "nt" and "win32" in requirement):
            yield name.group()


def _settings(config: Path | None, data_dir: Path) -> Examined:
    try:
        loaded = load(config, {"server.data_dir": str(data_dir)}, os.environ).settings
    except VectisError as error:
        return Examined("settings", "failed", error.message, "correct it; docs/configuration.md lists all settings")
    return Examined("settings", "ok", f"engine {loaded.engine.kind}, embedder {loaded.embedder.kind}")


def _folder(folder: Path) -> Examined:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return Examined("data folder", "ok", f"{folder.resolve()} can be written")
    except OSError as error:
        return Examined("data folder", "failed", f"{folder}: {error.strerror}", "give another --data-dir")


def _disk(folder: Path) -> Examined:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Examined("disk", "failed", f"{folder}: {error.strerror}", "give another --data-dir")
    detail = f"{free / 1e9:.1f} GB free"
    if free < FREE_BYTES_NEEDED:
        return Examined("disk", "failed", detail, "free some space")
    if free < FREE_BYTES_GOOD:
        return Examined("disk", "warning", detail, "free some space before a large ingest")
    return Examined("disk", "ok", detail)


def _socket() -> Examined:
    """Bind one where a private server would; a path beyond about 100 bytes fails."""
    place = "(no folder)"
    try:
        with tempfile.TemporaryDirectory(prefix="vectis-") as short, socket.socket(socket.AF_UNIX) as tried:
            place = f"{short}/s"
            tried.bind(place)
    except OSError as error:
        return Examined("unix socket", "failed", f"{place}: {error}", "set TMPDIR to a short, writable folder")
    return Examined("unix socket", "ok", f"{len(place)} bytes of path")


def _holder(folder: Path) -> Examined:
    try:
        found = holder(folder)
    except VectisError as error:
        return Examined("holder", "failed", error.message, "end that process, or give another --data-dir")
    if found is None:
        return Examined("holder", "ok", "no server holds the data folder; one is started for a moment")
    return Examined("holder", "ok", f"process {found.pid} serves it at {found.url}")


async def _server(url: str | None, folder: Path) -> list[Examined]:
    try:
        async with connect(url, folder) as api:
            health = await api.health()
            state = {"healthy": "ok", "degraded": "warning"}.get(health["status"], "failed")
            found = [_examined("server", state, f"{health['status']} at {api.where}")]
            checks, filters = await _checks(api), await _filters(api)
    except VectisError as error:
        return [Examined("server", "failed", error.message, "read its log; the message above tells what it says")]
    if checks is None:
        return found + [_part(name, check, health["status"]) for name, check in health["checks"].items()] + filters
    return found + [_looked_at(name, check) for name, check in checks.items()] + filters


async def _checks(api: Api) -> dict[str, Any] | None:
    """Every look that the server takes; None for who may not see them, when what is public has to do."""
    try:
        return (await api.get("/environment/status"))["checks"]
    except (Unauthenticated, PermissionDenied):
        return None


def _looked_at(name: str, check: dict[str, Any]) -> Examined:
    seen = f", {check['age_s']:.0f} s ago" if check["age_s"] else ""
    detail = f"{check['detail']} ({check['took_ms']:.1f} ms{seen})"
    return _examined(name, check["state"], detail, "" if check["state"] == "ok" else REMEDIES.get(name, ""))


def _examined(name: str, state: str, detail: str, remedy: str = "") -> Examined:
    return msgspec.convert({"name": name, "state": state, "detail": detail, "remedy": remedy}, Examined)


async def _filters(api: Api) -> list[Examined]:
    """A line for each payload key that searches filter by without an index; nothing when there is none."""
    found: list[Examined] = []
    for collection in (await api.get("/collections"))["collections"]:
        name = collection["name"]
        for key, use in (await api.get("/collections" + path_of(name)))["filters"].items():
            if use["unindexed"]:
                detail = f"{name}: {use['unindexed']} of {use['searches']} searches by {key} looked at every point"
                remedy = f"vectis collections index {name} {key} KIND (keyword, integer, ...)"
                found.append(Examined("filters", "warning", detail, remedy))
    return found


def _part(name: str, check: dict[str, Any], status: str) -> Examined:
    detail = f"{check['detail']} ({check['took_ms']:.1f} ms)"
    if check["status"] == "ok":
        return Examined(name, "ok", detail)
    return Examined(name, "warning" if status == "degraded" else "failed", detail, REMEDIES.get(name, ""))
