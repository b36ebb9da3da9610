"""Asking the other sides of a candidate configuration: what answers, what does not, and that nothing is changed there."""

import os
import sqlite3
from pathlib import Path

from vectis.runtime.configuration.loading import load
from vectis.runtime.paths import FolderLayout
from vectis.runtime.wiring.asked_parts import ask_parts

AWAY = "127.0.0.1:9"


async def test_a_folder_where_nothing_was_started_yet(tmp_path: Path) -> None:
    chosen = {"server.data_dir": str(tmp_path), "embedder.kind": "none"}
    asked = await ask_parts(load(None, chosen, {}).settings)
    assert [(each.part, each.ok) for each in asked] == [
        ("store", True),
        ("engine", True),
        ("cache", True),
        ("embedder", True),
    ]
    assert not os.listdir(tmp_path), "asking makes nothing"


async def test_what_is_away_is_named_with_the_reason(tmp_path: Path) -> None:
    chosen = {
        "server.data_dir": str(tmp_path),
        "store.url": f"postgresql://someone:secret@{AWAY}/none",
        "engine.url": f"http://{AWAY}",
        "engine.timeout_s": "1",
        "cache.redis_url": f"redis://:secret@{AWAY}/0",
        "embedder.kind": "openai",
        "embedder.url": f"http://{AWAY}/v1",
    }
    asked = await ask_parts(load(None, chosen, {}).settings)
    assert [each.part for each in asked if each.ok] == []
    assert all(each.detail for each in asked)
    assert not [each for each in asked if "secret" in each.detail]


async def test_a_store_that_answers_is_left_as_it_is(tmp_path: Path) -> None:
    file = FolderLayout(tmp_path).control
    sqlite3.connect(file).close()
    file.touch()
    asked = await ask_parts(load(None, {"server.data_dir": str(tmp_path), "embedder.kind": "none"}, {}).settings)
    assert (asked[0].ok, asked[0].detail) == (True, "answers")
    with sqlite3.connect(file) as store:
        assert store.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
