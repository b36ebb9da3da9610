"""What git knows of a folder: its files without the ignored ones, when each last changed, and where it is published."""

import re
import subprocess
from pathlib import Path

import msgspec

GIT_SECONDS_MAX = 30.0
_ORIGIN = re.compile(r"(?:^|@|//)(?:[^@/]*@)?([\w.-]+)(?::\d+)?[:/]+(?:~?)([\w./~-]+?)(?:\.git)?/?$")
_BLOB_PATHS = {"github.com": "blob/HEAD", "gitlab.com": "-/blob/HEAD", "codeberg.org": "src/branch/HEAD"}


class Change(msgspec.Struct, frozen=True):
    """The last commit that touched a file, and its date (RFC 3339)."""

    commit: str
    date: str


class Checkout(msgspec.Struct, frozen=True):
    """A folder inside a git checkout; paths are relative to that folder, with `/`."""

    name: str
    files: list[str]
    changes: dict[str, Change]
    url_prefix: str


def read_checkout(folder: Path) -> Checkout | None:
    """None when `folder` is in no checkout, or git is not installed or refuses. Runs nothing that the checkout configures."""
    prefix = _git(folder, "rev-parse", "--show-prefix")
    top = _git(folder, "rev-parse", "--show-toplevel")
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if prefix is None or top is None or listed is None:
        return None
    below = prefix.strip("\n").rstrip("/")
    host, path = _published_at((_git(folder, "config", "--get", "remote.origin.url") or "").strip())
    repository = path.rsplit("/", 1)[-1] if path else Path(top.strip("\n")).name
    blob = _BLOB_PATHS.get(host)
    return Checkout(
        name="/".join(filter(None, (repository, below))),
        files=sorted({file for file in listed.split("\0") if file}),
        changes=_changes(folder),
        url_prefix="/".join(filter(None, (f"https://{host}/{path}/{blob}", below))) + "/" if blob else "",
    )


def _changes(folder: Path) -> dict[str, Change]:
    """By file, newest first wins; empty when git takes too long."""
    log = _git(folder, "log", "--format=%x01%H %cI", "--name-only", "--relative", "--no-renames", "--", ".")
    changes: dict[str, Change] = {}
    change = Change("", "")
    for line in (log or "").splitlines():
        if line.startswith("\x01"):
            commit, _, date = line[1:].partition(" ")
            change = Change(commit, date)
        elif line:
            changes.setdefault(line, change)
    return changes


def _published_at(origin: str) -> tuple[str, str]:
    """Host and path of a remote such as `git@github.com:owner/name.git`; empty for one that is a local path."""
    if "://" not in origin and "@" not in origin:
        return "", ""
    found = _ORIGIN.search(origin)
    return (found[1], found[2]) if found else ("", "")


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-c", "log.showSignature=false"]
    try:
        done = subprocess.run(
            [*command, "-C", str(folder), *arguments],
            capture_output=True,
            timeout=GIT_SECONDS_MAX,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="surrogateescape") if done.returncode == 0 else None
