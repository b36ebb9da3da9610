"""Reading a judged data set, and naming file and line of what is wrong."""

from pathlib import Path

import pytest

from vectis.domain.errors import InvalidInput, NotFound
from vectis.evaluation.dataset import read_dataset

CORPUS = '{"id": "d1", "title": "T", "text": "one"}\n{"id": "d2", "text": "two", "extra": 1}\n'
QUERIES = '{"id": "q1", "text": "one?", "answer": "x"}\n{"id": "q2", "text": "unjudged?"}\n'


def write(folder: Path, corpus: str = CORPUS, queries: str = QUERIES, qrels: str = "q1\td1\t1\n") -> Path:
    (folder / "corpus.jsonl").write_text(corpus)
    (folder / "queries.jsonl").write_text(queries)
    (folder / "qrels.tsv").write_text(qrels)
    return folder


@pytest.mark.parametrize("qrels", ["q1\td1\t2\n", "query-id\tcorpus-id\tscore\nq1\td1\t2\n", "q1 0 d1 2\n"])
def test_a_data_set_is_read_with_and_without_header(tmp_path: Path, qrels: str) -> None:
    dataset = read_dataset(write(tmp_path, qrels=qrels))
    assert [document.id for document in dataset.documents] == ["d1", "d2"]
    assert [query.text for query in dataset.queries] == ["one?"]
    assert dataset.qrels == {"q1": {"d1": 2}}


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"corpus": CORPUS + "{broken\n"}, "corpus.jsonl:3"),
        ({"corpus": '\n["a"]\n'}, "corpus.jsonl:2"),
        ({"corpus": '{"id": "d1"}\n'}, "corpus.jsonl:1"),
        ({"corpus": CORPUS + CORPUS}, "corpus.jsonl:3"),
        ({"queries": '{"id": 7, "text": "x"}\n'}, "queries.jsonl:1"),
        ({"qrels": "q1\td1\t1\nq1\td2\n"}, "qrels.tsv:2"),
        ({"qrels": "q1\td1\t1\nq1\td2\tgood\n"}, "qrels.tsv:2"),
        ({"qrels": "q9\td1\t1\n"}, "q9"),
        ({"qrels": "query-id\tcorpus-id\tscore\n"}, "no judgment"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(tmp_path: Path, files: dict[str, str], place: str) -> None:
    with pytest.raises(InvalidInput, match=place):
        read_dataset(write(tmp_path, **files))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "qrels.tsv").unlink()
    with pytest.raises(NotFound, match=r"qrels\.tsv"):
        read_dataset(tmp_path)
