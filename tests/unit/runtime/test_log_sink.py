"""The log's file: bounded in size and number, told apart from nothing, in nobody's way."""

from pathlib import Path

import pytest

from vectis.domain.errors import InvalidSetting
from vectis.runtime.log_sink import LogSink
from vectis.runtime.settings import LogSettings


def test_a_full_file_is_turned_over_and_old_ones_go(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sink = LogSink()
    sink.point(LogSettings(file="logs/vectis.log", file_bytes_max=1000, files_max=3), tmp_path)
    lines = [f"line {number:03} {'x' * 90}" for number in range(100)]
    for number, line in enumerate(lines):
        if number % 2:
            sink.line(line.encode())
        else:
            sink.write(line + "\n")
    files = sorted((tmp_path / "logs").iterdir(), reverse=True)
    assert [file.name for file in files] == ["vectis.log.2", "vectis.log.1", "vectis.log"]
    assert all(file.stat().st_size <= 1000 for file in files)
    kept = "".join(file.read_text() for file in files).splitlines()
    assert kept == lines[-len(kept) :]
    assert len(kept) > 18
    assert capfd.readouterr().err.splitlines() == lines, "standard error has everything"


def test_what_is_no_text_is_kept_as_well_as_it_can_be(tmp_path: Path) -> None:
    sink = LogSink()
    sink.point(LogSettings(file="vectis.log"), tmp_path)
    sink.line(b"100 %s \xff")
    assert (tmp_path / "vectis.log").read_text() == "100 %s \ufffd\n"


def test_another_file_and_none(tmp_path: Path) -> None:
    sink = LogSink()
    for name in ("one.log", "two.log", ""):
        sink.point(LogSettings(file=name), tmp_path)
        sink.line(name.encode())
    assert [(tmp_path / name).read_text() for name in ("one.log", "two.log")] == ["one.log\n", "two.log\n"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InvalidSetting, match=r"log.file: .*taken/vectis.log cannot be written"):
        LogSink().point(LogSettings(file="taken/vectis.log"), tmp_path)
