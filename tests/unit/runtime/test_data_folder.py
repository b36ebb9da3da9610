"""The lock on a data folder, against real processes that hold it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vectis.domain.errors import DataFolderInUse, InvalidSetting
from vectis.runtime.data_folder import LOCK_NAME, hold, holder

URL = "http://127.0.0.1:8000"

HOLDING = """
import subprocess, sys
from pathlib import Path
from vectis.runtime.data_folder import hold
with hold(Path(sys.argv[1]), "http://127.0.0.1:8000") as lock:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock]) if sys.argv[2:] else None
    print("held", child.pid if child else "", flush=True)
    input()
"""

LOOKING = """
import sys
from pathlib import Path
from vectis.runtime.data_folder import holder
print("looking", flush=True)
while True:
    holder(Path(sys.argv[1]))
"""


@contextlib.contextmanager
def held_elsewhere(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDING, str(folder), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("held")
        yield process
        process.kill()


def test_nobody_holds_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert holder(tmp_path / "absent") is None
    assert not (tmp_path / "absent").exists(), "looking makes nothing"


def test_the_holder_is_named_while_it_holds(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    with hold(folder, URL):
        found = holder(folder)
        assert found is not None
        assert (found.pid, found.url) == (os.getpid(), URL)
    assert (folder / LOCK_NAME).exists()
    assert holder(folder) is None, "a file alone holds nothing"


def test_a_second_holder_is_refused_with_pid_url_and_remedy(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        with pytest.raises(DataFolderInUse) as caught, hold(tmp_path, "http://127.0.0.1:9000"):
            pytest.fail("held twice")
        assert caught.value.fields["pid"] == process.pid
        assert caught.value.fields["url"] == URL
        assert f"process {process.pid}" in caught.value.message
        assert f"--url {URL}" in caught.value.message
        assert holder(tmp_path).pid == process.pid, "the refused one changed nothing"


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        process.kill()
        process.wait()
        assert holder(tmp_path) is None
        with hold(tmp_path, URL):
            assert holder(tmp_path).pid == os.getpid()


def test_the_children_of_a_killed_holder_are_waited_for(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path, "with a child") as process:
        process.kill()  # its child ends by itself, a moment later: its stdin is closed
        process.wait()
        with hold(tmp_path, URL):
            assert holder(tmp_path).pid == os.getpid()


def test_a_holder_that_says_nothing_is_an_error_and_not_nobody(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path):
        (tmp_path / LOCK_NAME).write_text("")
        with pytest.raises(DataFolderInUse, match="does not say which"):
            holder(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSetting, match="--data-dir"), hold(tmp_path / "file" / "below", URL):
        pytest.fail("held a file")


def test_looking_never_gets_in_the_way_of_taking(tmp_path: Path) -> None:
    with hold(tmp_path, URL):
        pass
    command = [sys.executable, "-c", LOOKING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "looking\n"
            for _ in range(300):
                with hold(tmp_path, URL):
                    pass
            assert process.poll() is None
        finally:
            process.kill()


def test_a_folder_that_is_made_is_its_owner_s_alone(tmp_path: Path) -> None:
    with hold(tmp_path / "made", URL):
        assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700
