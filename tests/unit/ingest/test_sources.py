"""Reading files, folders, checkouts and JSONL: ids, formats, and what is left out with its reason."""

import json
import subprocess
from pathlib import Path

import pytest

from vectis.domain.documents import Document, TextFormat
from vectis.domain.errors import InvalidInput
from vectis.ingest.sources import FILE_BYTES_MAX, JSONL_LINE_BYTES_MAX, Skipped, open_sources, read_source


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read(*arguments: Path | str) -> tuple[dict[str, Document], dict[str, str]]:
    found = [each for source in open_sources(map(str, arguments)) for each in read_source(source)]
    documents = {each.id: each for each in found if isinstance(each, Document)}
    return documents, {Path(each.place).name: each.reason for each in found if isinstance(each, Skipped)}


def git(folder: Path, *arguments: str) -> None:
    environment = {
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_COMMITTER_DATE": "2024-05-06T07:08:09+00:00",
        "PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
    }  # fmt: skip
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=environment)


def test_a_folder_gives_documents_of_each_format_with_stable_ids(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "docs",
        {"a.md": "# A", "sub/b.html": "<p>b", "c.rst": "C", "d.txt": "d", "e.py": "no", ".git-ish/f.md": "hidden"},
    )
    documents, skipped = read(folder)
    assert {id: d.format for id, d in documents.items()} == {
        "docs/a.md": TextFormat.MARKDOWN,
        "docs/c.rst": TextFormat.RST,
        "docs/d.txt": TextFormat.TEXT,
        "docs/sub/b.html": TextFormat.HTML,
    }
    assert {d.source for d in documents.values()} == {"docs"}
    assert skipped == {}


def test_what_cannot_be_read_is_left_out_with_its_reason(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "docs",
        {
            "good.md": "fine", "binary.md": b"a\x00b", "latin.md": b"caf\xe9", "empty.md": " \n",
            "large.md": b"x" * (FILE_BYTES_MAX + 1), "bom.txt": b"\xef\xbb\xbftext",
        },
    )  # fmt: skip
    (tmp_path / "secret.md").write_text("outside")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "loop").symlink_to(folder)
    documents, skipped = read(folder)
    assert documents.keys() == {"docs/good.md", "docs/bom.txt"}
    assert documents["docs/bom.txt"].text == "text"
    assert skipped.keys() == {"binary.md", "latin.md", "empty.md", "large.md", "link.md"}
    assert "binary" in skipped["binary.md"]
    assert "not UTF-8: byte 3" in skipped["latin.md"]
    assert "maximum" in skipped["large.md"]
    assert "symbolic link" in skipped["link.md"]


def test_a_checkout_leaves_out_ignored_files_and_knows_changes(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "clone-7", {"README.md": "# R", "docs/a.md": "# A", "build/b.md": "# B", ".gitignore": "build/\n"}
    )
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", "git@github.com:owner/project.git")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "First")
    write(folder, {"docs/new.md": "# N", "docs/linked": "x"})
    (folder / "docs/away.md").symlink_to("/etc/hostname")
    documents, skipped = read(folder)
    assert documents.keys() == {"project/README.md", "project/docs/a.md", "project/docs/new.md"}
    known = documents["project/docs/a.md"]
    assert known.url == "https://github.com/owner/project/blob/HEAD/docs/a.md"
    assert known.payload["last_updated"].startswith("2024-05-06T07:08:09")
    assert len(known.payload["commit"]) == 40
    assert documents["project/docs/new.md"].payload == {}
    assert skipped.keys() == {"away.md"}
    part, _ = read(folder / "docs")
    assert part.keys() == {"project/docs/a.md", "project/docs/new.md"}
    assert {d.source for d in part.values()} == {"project/docs"}
    single, _ = read(folder / "docs" / "a.md")
    assert [(d.id, d.source, d.url) for d in single.values()] == [("project/docs/a.md", "project/docs/a.md", known.url)]


def test_jsonl_keeps_ids_and_unknown_keys_and_names_bad_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "1", "title": "T", "text": "one", "format": "html", "team": "core", "payload": {"k": 1}}),
        json.dumps({"id": 2, "text": "two"}),
        "{broken",
        "[]",
        json.dumps({"id": "3"}),
        "",
        json.dumps({"id": "4", "text": "four", "format": "pdf"}),
        '{"id": "5", "text": "' + "x" * JSONL_LINE_BYTES_MAX + '"}',
        json.dumps({"id": "6", "text": "six"}),
        "[" * 100_000,
    ]
    write(tmp_path, {"corpus.jsonl": "\n".join(lines)})
    documents, skipped = read(tmp_path / "corpus.jsonl")
    assert documents["1"] == Document(
        "1", "one", "T", TextFormat.HTML, "corpus.jsonl", payload={"team": "core", "k": 1}
    )
    assert documents.keys() == {"1", "2", "6"}
    assert skipped.keys() == {f"corpus.jsonl:{number}" for number in (3, 4, 5, 7, 8, 10)}
    assert "text" in skipped["corpus.jsonl:5"]


def test_two_sources_of_one_name_need_names(tmp_path: Path) -> None:
    write(tmp_path, {"a/docs/x.md": "x", "b/docs/x.md": "y"})
    with pytest.raises(InvalidInput, match="NAME=PATH"):
        open_sources([str(tmp_path / "a/docs"), str(tmp_path / "b/docs")])
    documents, _ = read(tmp_path / "a/docs", f"other={tmp_path / 'b/docs'}")
    assert documents.keys() == {"docs/x.md", "other/x.md"}
    with pytest.raises(InvalidInput, match="no file or folder"):
        open_sources([str(tmp_path / "nowhere")])
