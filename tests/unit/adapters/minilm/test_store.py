"""The graph file: built once, whole or rebuilt, by one process at a time."""

import multiprocessing
from pathlib import Path

import pytest

from vectis.adapters.minilm import store
from vectis.adapters.minilm.store import ensure_graph
from vectis.domain.errors import DiskFull, InvalidSetting


def test_the_second_call_takes_the_file_of_the_first(weights, graph_folder):
    path = ensure_graph(weights, graph_folder)
    before = path.stat()
    assert ensure_graph(weights, graph_folder) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_is_damaged_foreign_or_unfinished_is_built_anew(weights, graph_folder, tmp_path):
    sound = ensure_graph(weights, graph_folder)
    whole, stem = sound.read_bytes(), sound.name.rpartition("-")[0]
    (tmp_path / sound.name).write_bytes(whole[: len(whole) // 2])
    (tmp_path / f"{stem}-{'0' * 64}.onnx").write_bytes(b"not a graph")
    (tmp_path / f"{stem}.unfinished").write_bytes(b"of a builder that was killed")
    assert ensure_graph(weights, tmp_path).read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([sound.name, f"{stem}.lock"])


def test_several_processes_may_start_at_once(weights, tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        paths = pool.starmap(ensure_graph, [(weights, tmp_path)] * 3)
    assert len(set(paths)) == 1
    assert [path.name for path in tmp_path.glob("*.onnx")] == [Path(paths[0]).name]


def test_a_folder_that_cannot_be_made_is_a_wrong_setting(weights, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidSetting, match="folder that can be written"):
        ensure_graph(weights, tmp_path / "file" / "cache")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said(weights, tmp_path):
    (tmp_path / f"minilm-{weights.revision[:12]}-g{store.GRAPH_VERSION}.unfinished").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="no space"):
        ensure_graph(weights, tmp_path)
    assert not list(tmp_path.glob("*.onnx"))
