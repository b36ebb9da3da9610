"""The shared marks: seen across mappings and processes, never the same twice."""

import subprocess
import sys
from pathlib import Path

from vectis.adapters.edge.versions import SharedVersions

CHANGE = """
import sys
from pathlib import Path
from vectis.adapters.edge.versions import SharedVersions
versions = SharedVersions(Path(sys.argv[1]))
versions.written("docs")
versions.directory_changed()
"""


def test_what_one_writes_the_other_sees(tmp_path: Path) -> None:
    here, there = SharedVersions(tmp_path / "run" / "versions"), SharedVersions(tmp_path / "run" / "versions")
    marks = {here.collection("docs")}
    for _ in range(100):
        here.written("docs")
        assert there.collection("docs") not in marks
        marks.add(there.collection("docs"))
    assert here.collection("other") == there.collection("other")
    assert here.directory() == there.directory()
    there.directory_changed()
    assert here.directory() == there.directory() != 0


def test_across_processes(tmp_path: Path) -> None:
    path = tmp_path / "versions"
    versions = SharedVersions(path)
    before = (versions.collection("docs"), versions.directory())
    subprocess.run([sys.executable, "-c", CHANGE, str(path)], check=True, timeout=60)
    assert versions.collection("docs") != before[0]
    assert versions.directory() != before[1]


def test_a_start_of_the_engine_changes_every_collection(tmp_path: Path) -> None:
    versions = SharedVersions(tmp_path / "versions")
    names = [f"collection-{n}" for n in range(50)]
    before = [versions.collection(name) for name in names]
    SharedVersions(tmp_path / "versions").engine_started()
    assert all(versions.collection(name) != mark for name, mark in zip(names, before, strict=True))


def test_without_an_engine_process_nothing_is_known_of_collections(tmp_path: Path) -> None:
    versions = SharedVersions(tmp_path / "versions", counted=False)
    assert versions.collection("docs") is None
    assert isinstance(versions.directory(), int)
