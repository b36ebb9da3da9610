"""The graph file: built once, whole or rebuilt, by one process at a time."""

import multiprocessing
from pathlib import Path

import pytest

from vectis.adapters.minilm import store
from vectis.adapters.minilm.store import ensure_graph
from vectis.domain.errors import DiskFull, InvalidSetting


def test_the_second_call_takes_the_file_of_the_first(weights, tmp_path):
    path = ensure_graph(weights, tmp_path)
    before = path.stat()
    assert ensure_graph(weights, tmp_path) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_damaged_file_is_built_anew(weights, tmp_path):
    path = ensure_graph(weights, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    foreign = path.with_name(f"{path.name.rpartition('-')[0]}-{'0' * 64}.onnx")
    foreign.write_bytes(b"not a graph")
    assert ensure_graph(weights, tmp_path).read_bytes() == whole
    assert not foreign.exists()


def test_what_a_killed_builder_left_does_not_stay(weights, tmp_path):
    name = ensure_graph(weights, tmp_path).name
    (tmp_path / name).unlink()
    (tmp_path / f"{name.rpartition('-')[0]}.unfinished").write_bytes(b"half")
    assert ensure_graph(weights, tmp_path).name == name
    assert not list(tmp_path.glob("*.unfinished"))


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
