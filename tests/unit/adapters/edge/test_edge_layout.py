"""The data folder: sparse copies, atomic pointers, the lock, leftovers, free space."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vectis.adapters.edge.layout import (
    DataFolder,
    FolderLock,
    Holder,
    blocks_bytes,
    replace_file,
    sparse_copy,
    warm,
)
from vectis.domain.errors import DiskFull
from vectis.domain.schema import CollectionSchema, DenseParams

SCHEMA = CollectionSchema(dense={"dense": DenseParams(size=2)})


def test_copies_keep_holes_and_content(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "empty").write_bytes(b"")
    (source / "deep" / "plain").write_bytes(b"x" * 10_000)
    with (source / "holes").open("wb") as file:
        file.seek(50 << 20)
        file.write(b"middle")
        file.truncate(100 << 20)
    copied = sparse_copy(source, tmp_path / "target")
    assert 10_006 <= copied < 1 << 20
    assert blocks_bytes(tmp_path / "target") < 1 << 20
    for path in ("empty", "deep/plain", "holes"):
        assert (tmp_path / "target" / path).read_bytes() == (source / path).read_bytes()
    warm(tmp_path / "target")


def test_a_draft_is_no_collection_until_it_is_published(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    draft, generation = folder.draft("c", SCHEMA)
    generation.mkdir()
    assert folder.names() == []
    collection = folder.publish(draft, "c")
    assert folder.names() == ["c"]
    assert collection.schema() == SCHEMA
    assert collection.current().name == "g000001"
    following = collection.following()
    following.mkdir()
    collection.switch(following)
    assert collection.current() == following
    collection.tidy()
    assert {path.name for path in collection.path.iterdir()} == {"schema.json", "CURRENT", "g000002"}
    trash = folder.condemn(collection)
    assert folder.names() == []
    assert trash.exists()
    DataFolder(tmp_path)
    assert not trash.exists()


def test_the_lock_excludes_and_says_who(tmp_path: Path) -> None:
    holder = Holder(os.getpid(), datetime.now(UTC), "somewhere")
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert first.take(holder)
    assert not second.take(holder)
    assert second.conflict().fields["pid"] == os.getpid()
    first.close()
    assert second.take(holder)
    second.close()


def test_aliases_are_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert folder.aliases() == {}
    folder.write_aliases({"a": "c", "b": "c"})
    folder.write_aliases({"b": "d"})
    assert DataFolder(tmp_path).aliases() == {"b": "d"}


def test_replacing_leaves_no_draft(tmp_path: Path) -> None:
    replace_file(tmp_path / "file", b"one")
    replace_file(tmp_path / "file", b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"two")]


def test_too_little_space_is_said_before_anything_is_written(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    status = os.statvfs(tmp_path)
    with pytest.raises(DiskFull, match="make room"):
        folder.require_space(status.f_blocks * status.f_frsize)
