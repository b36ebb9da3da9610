"""Versions of a configuration file: kept whole, the file replaced last, the one before beside it."""

from pathlib import Path

import pytest

from vectis.domain.errors import Conflict, NotFound
from vectis.runtime.configuration.versions import VersionedFile, versioned_file
from vectis.runtime.paths import FolderLayout


@pytest.fixture
def file(tmp_path: Path) -> VersionedFile:
    return versioned_file("", FolderLayout(tmp_path))


def test_what_was_applied_is_the_file_and_what_was_before_stands_beside_it(file: VersionedFile, tmp_path: Path) -> None:
    file.keep_point("ann")
    assert file.keep("ann", "one", "[search]\n") == 2
    assert file.keep("bob", "two", "[jobs]\n") == 3
    assert (tmp_path / "config.toml").read_text() == "[jobs]\n"
    assert (tmp_path / "config.toml.backup").read_text() == "[search]\n"
    shown = [(v.number, v.author, v.description, v.outcome) for v in file.versions()]
    assert shown == [
        (3, "bob", "two", "applied"),
        (2, "ann", "one", "applied"),
        (1, "ann", "as it was found", "applied"),
    ]
    assert file.active() == 3
    assert file.inside


def test_what_was_taken_back_is_kept_and_changes_nothing(file: VersionedFile, tmp_path: Path) -> None:
    file.keep("ann", "one", "[search]\n")
    assert file.keep("ann", "two", "[jobs]\n", taken_back="not healthy") == 2
    assert file.text() == "[search]\n"
    assert file.versions()[0].reason == "not healthy"
    with pytest.raises(NotFound):
        file.version(2)
    assert not (tmp_path / "config.toml.backup").exists()


def test_the_version_to_go_back_to(file: VersionedFile) -> None:
    with pytest.raises(NotFound):
        file.version(None)
    file.keep_point("ann")
    file.keep("ann", "", "one")
    file.keep("ann", "", "two")
    assert file.version(None).number == 2
    file.keep("ann", "back", "one")
    assert file.version(None).number == 3
    assert file.version(1).text == ""


def test_an_edited_file_is_kept_before_it_is_replaced(file: VersionedFile) -> None:
    file.keep("ann", "", "one")
    file.file.write_text("edited")
    assert file.active() is None
    assert file.version(None).text == "one"
    file.keep_point("bob")
    assert file.active() == 2
    file.keep_point("bob")
    assert len(file.versions()) == 2


def test_one_format_for_the_file(file: VersionedFile, tmp_path: Path) -> None:
    file.take_format(".yml")
    file.keep("ann", "", "search: {}\n")
    assert (tmp_path / "config.yml").exists()
    file.take_format(".yaml")
    with pytest.raises(Conflict, match="YAML"):
        file.take_format(".toml")


def test_a_kill_between_version_and_file_leaves_the_file_as_it_was(
    file: VersionedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.keep("ann", "", "one")
    replace = Path.replace

    def killed(source: Path, target: Path) -> Path:
        if target == file.file:
            raise KeyboardInterrupt
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        file.keep("ann", "", "two")
    assert file.text() == "one"
    assert file.active() == 1
    assert file.versions()[0].text == "two"
