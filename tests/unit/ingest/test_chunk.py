"""How documents are cut: context, whole code, repeated table headers, sentences, joined sections."""

from vectis.domain.documents import Document, TextFormat
from vectis.domain.profiles import Chunking
from vectis.ingest.chunk import cut
from vectis.ingest.parse.document import parse_document


def count(text: str) -> int:
    return len(text.split())


def chunks(
    text: str, *, target: int = 20, overlap: int = 0, title: str = "Guide", max_tokens: int = 100
) -> list[tuple[str, str]]:
    parsed = parse_document(Document(id="x", text=text, title=title, format=TextFormat.MARKDOWN))
    return [(chunk.context, chunk.text) for chunk in cut(parsed, Chunking(target, overlap), max_tokens, count)]


def words(prefix: str, number: int) -> str:
    return " ".join(f"{prefix}{n}" for n in range(number))


def test_the_heading_path_stands_before_the_text() -> None:
    assert chunks(f"# Top\n\n{words('a', 15)}\n\n## Sub\n\n{words('b', 15)}") == [
        ("Guide > Top. ", words("a", 15)),
        ("Guide > Top > Sub. ", words("b", 15)),
    ]


def test_a_title_that_is_the_first_heading_stands_once() -> None:
    assert chunks("# Guide\n\ntext") == [("Guide. ", "text")]
    assert chunks("text", title="") == [("", "text")]


def test_small_neighbours_are_joined_under_their_parent_with_their_headings() -> None:
    assert chunks("# T\n\nintro\n\n## A\n\none\n\n## B\n\ntwo\n\n# U\n\nthree", title="T") == [
        ("T. ", "intro\n\nA\n\none\n\nB\n\ntwo"),
        ("T > U. ", "three"),
    ]


def test_code_is_whole_up_to_twice_the_target_and_then_cut_at_line_ends() -> None:
    code = "\n".join(f"    line {n} of code" for n in range(10))
    assert [text for _, text in chunks(f"before\n\n```\n{code}\n```\n\nafter")] == ["before", code, "after"]
    longer = "\n".join(f"line {n} of code" for n in range(11))
    assert [text.split("\n") for _, text in chunks(f"```\n{longer}\n```")] == [
        longer.split("\n")[:5], longer.split("\n")[5:10], longer.split("\n")[10:],
    ]  # fmt: skip


def test_a_table_is_cut_between_rows_and_repeats_its_header() -> None:
    rows = [f"| {n} | value {n} |" for n in range(10)]
    found = [text.split("\n") for _, text in chunks("| key | value |\n|---|---|\n" + "\n".join(rows))]
    assert len(found) > 1
    assert {lines[0] for lines in found} == {"key | value"}
    assert [line for lines in found for line in lines[1:]] == [f"{n} | value {n}" for n in range(10)]


def test_a_long_paragraph_is_cut_at_sentences_and_overlaps_by_whole_ones() -> None:
    text = " ".join(f"{words(f's{n}w', 5)}." for n in range(8))
    found = [text for _, text in chunks(text, overlap=6)]
    assert all(chunk.endswith(".") for chunk in found)
    assert found[0].split(". ")[-1] == found[1].split(". ")[0] + "."


def test_a_long_heading_path_leaves_room_for_the_text() -> None:
    ((context, text),) = chunks(f"# {words('h', 50)}\n\ntext", title=words("t", 50), max_tokens=40)
    assert count(context) <= 10
    assert text == "text"


def test_an_endless_word_is_cut() -> None:
    found = [text for _, text in chunks("x" * 10_000)]
    assert "".join(found) == "x" * 10_000
    assert max(map(len, found)) <= 20 * 16
