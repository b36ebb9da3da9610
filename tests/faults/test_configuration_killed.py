"""Killed at any moment of a change, a server starts again with the configuration before or after it, whole."""

import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest
from serving import ENVIRONMENT, StartServer

from vectis.runtime.configuration.versions import versioned_file
from vectis.runtime.paths import FolderLayout

OLD, NEXT = "[search]\nlimit_max = 11\n", "[search]\nlimit_max = 22\n"


@pytest.mark.parametrize("after_s", [0.3, 0.8, 1.5, 2.5, 3.5, 5.0])
def test_killed_while_a_configuration_is_applied(start_server: StartServer, tmp_path: Path, after_s: float) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "config.toml").write_text(OLD)
    (tmp_path / "next.toml").write_text(NEXT)
    server = start_server(folder, VECTIS_EMBEDDER__KIND="none")
    command = subprocess.Popen(
        [sys.executable, "-m", "vectis", "config", "apply", str(tmp_path / "next.toml"), "--data-dir", str(folder)],
        env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    sleep(after_s)  # the moment of the kill, not a wait for something
    server.kill_all()
    command.wait(60)

    again = start_server(folder, VECTIS_EMBEDDER__KIND="none")
    text = (folder / "config.toml").read_text()
    assert text in (OLD, NEXT)
    settings = {line["key"]: line["value"] for line in again.http.get("/api/v1/config").json()["settings"]}
    assert settings["search.limit_max"] == (11 if text == OLD else 22)
    file = versioned_file(str(folder / "config.toml"), FolderLayout(folder))
    assert all(version.text in (OLD, NEXT) for version in file.versions())
    if text == NEXT:
        assert file.version(None).text == OLD, "there is a way back"
    assert again.stop() == 0
