"""Reading a judged data set from a folder: corpus.jsonl, queries.jsonl, qrels.tsv."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from vectis.domain.documents import Document
from vectis.domain.errors import InvalidInput, NotFound

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels.tsv"


class JudgedQuery(msgspec.Struct, frozen=True):
    """A question of a data set; other keys of its line are left alone."""

    id: str
    text: str


T = TypeVar("T", Document, JudgedQuery)


class Dataset(msgspec.Struct, frozen=True):
    """Documents, the queries that have a judgment, and the grades: query id -> document id -> grade (0 is not relevant)."""

    name: str
    documents: list[Document]
    queries: list[JudgedQuery]
    qrels: dict[str, dict[str, int]]


def read_dataset(folder: Path) -> Dataset:
    """Read the three files of `folder`. qrels.tsv: query id, document id, grade; or TREC's four columns; a header may lead.

    NotFound names a missing file; InvalidInput names file and line of what is malformed, twice there or refers to nothing.
    """
    documents = list(_unique(folder / CORPUS, _read_lines(folder / CORPUS, _document)))
    queries = list(_unique(folder / QUERIES, _read_lines(folder / QUERIES, _query)))
    qrels = _read_qrels(folder / QRELS)
    known = {query.id for query in queries}
    unknown = next((id for id in qrels if id not in known), None)
    if unknown is not None:
        raise InvalidInput(f"{folder / QRELS}: query {unknown!r} does not stand in {QUERIES}", query=unknown)
    return Dataset(folder.resolve().name, documents, [query for query in queries if query.id in qrels], qrels)


def _document(fields: dict[str, Any]) -> Document:
    return msgspec.convert({key: fields[key] for key in ("id", "title", "text", "format") if key in fields}, Document)


def _query(fields: dict[str, Any]) -> JudgedQuery:
    return msgspec.convert(fields, JudgedQuery)


def _read_lines(path: Path, convert: Callable[[dict[str, Any]], T]) -> Iterator[tuple[int, T]]:
    for number, line in _lines(path):
        try:
            decoded: Any = msgspec.json.decode(line)
            if not isinstance(decoded, dict):
                raise InvalidInput(f"{path}:{number}: not a JSON object", file=path.name, line=number)
            yield number, convert(cast("dict[str, Any]", decoded))
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidInput(f"{path}:{number}: {error}", file=path.name, line=number) from None


def _unique(path: Path, numbered: Iterator[tuple[int, T]]) -> Iterator[T]:
    seen: set[str] = set()
    for number, each in numbered:
        if each.id in seen:
            raise InvalidInput(f"{path}:{number}: id {each.id!r} stands twice", file=path.name, line=number)
        seen.add(each.id)
        yield each


def _read_qrels(path: Path) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        columns = line.split("\t") if "\t" in line else line.split()
        if len(columns) not in (3, 4):
            raise InvalidInput(
                f"{path}:{number}: {len(columns)} columns, expected query id, document id, grade",
                file=path.name,
                line=number,
            )
        try:
            grade = int(columns[-1])
        except ValueError:
            if number == 1:
                continue
            raise InvalidInput(
                f"{path}:{number}: the grade {columns[-1][:40]!r} is no whole number", file=path.name, line=number
            ) from None
        qrels.setdefault(columns[0], {})[columns[-2]] = grade
    if not qrels:
        raise InvalidInput(f"{path}: holds no judgment", file=path.name)
    return qrels


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, counted from 1."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except FileNotFoundError:
        raise NotFound(f"{path} is missing; a data set is {CORPUS}, {QUERIES} and {QRELS}", file=path.name) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8: byte {error.start} cannot be read", file=path.name) from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", file=path.name) from None
