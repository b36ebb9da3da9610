"""Whatever the outline: chunks lose nothing, keep the order, stay within bounds, and come out the same each time."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from vectis.domain.documents import Document, TextFormat
from vectis.domain.errors import UnreadableDocument
from vectis.domain.profiles import Chunking
from vectis.ingest.chunk import SPECIAL_TOKENS, cut
from vectis.ingest.parse.document import parse_document
from vectis.ingest.parse.outline import Block, BlockKind, ParsedDocument, Section


def count_words(text: str) -> int:
    return len(text.split())


WORDS = st.integers(0, 10_000).map(lambda n: f"w{n}")
ENDS = st.sampled_from(["", "", "", ".", "?", "\n"])
LINES = st.lists(st.tuples(WORDS, ENDS).map("".join), min_size=1, max_size=24).map(" ".join)
KINDS = st.sampled_from(list(BlockKind))
BLOCKS = st.builds(
    lambda kind, lines: Block(kind, "\n".join(lines).strip()), KINDS, st.lists(LINES, min_size=1, max_size=4)
)
PATHS = st.lists(st.sampled_from(["Alpha", "Beta", "Gamma delta"]), max_size=4).map(tuple)
SECTIONS = st.builds(Section, PATHS, st.lists(BLOCKS, max_size=3).map(tuple))
DOCUMENTS = st.builds(ParsedDocument, st.sampled_from(["", "Title"]), st.lists(SECTIONS, max_size=4).map(tuple))
CHUNKINGS = st.builds(Chunking, st.integers(10, 80), st.integers(0, 20))
MAX_TOKENS = 64


def words(text: str) -> list[str]:
    return re.findall(r"w\d+", text)


@settings(max_examples=60)
@given(DOCUMENTS, CHUNKINGS)
def test_no_word_is_lost_and_order_is_kept(parsed: ParsedDocument, chunking: Chunking) -> None:
    chunks = cut(parsed, Chunking(chunking.target, 0), MAX_TOKENS, count_words)
    written = [w for s in parsed.sections for b in s.blocks if b.kind is not BlockKind.TABLE for w in words(b.text)]
    tables = {w for s in parsed.sections for b in s.blocks if b.kind is BlockKind.TABLE for w in words(b.text)}
    found = [w for chunk in chunks for w in words(chunk.text)]
    assert tables <= set(found)
    rest = iter(found)
    assert all(word in rest for word in written)


@settings(max_examples=60)
@given(DOCUMENTS, CHUNKINGS)
def test_overlap_only_adds(parsed: ParsedDocument, chunking: Chunking) -> None:
    chunks = cut(parsed, chunking, MAX_TOKENS, count_words)
    written = {w for s in parsed.sections for b in s.blocks for w in words(b.text)}
    assert {w for chunk in chunks for w in words(chunk.text)} == written


@settings(max_examples=60)
@given(DOCUMENTS, CHUNKINGS)
def test_size_is_bounded_and_no_chunk_is_empty(parsed: ParsedDocument, chunking: Chunking) -> None:
    code = {b.text for s in parsed.sections for b in s.blocks if b.kind is BlockKind.CODE}
    for number, chunk in enumerate(cut(parsed, chunking, MAX_TOKENS, count_words)):
        assert chunk.ordinal == number
        assert chunk.text.strip()
        size = count_words(chunk.indexed_text)
        if chunk.text in code:
            assert count_words(chunk.text) <= max(2 * chunking.target, MAX_TOKENS)
        else:
            assert size <= MAX_TOKENS - SPECIAL_TOKENS
            assert count_words(chunk.text) <= chunking.target


@settings(max_examples=60)
@given(DOCUMENTS, CHUNKINGS)
def test_same_input_gives_the_same_chunks(parsed: ParsedDocument, chunking: Chunking) -> None:
    assert cut(parsed, chunking, MAX_TOKENS, count_words) == cut(parsed, chunking, MAX_TOKENS, count_words)


@settings(max_examples=60)
@given(st.text(max_size=400), CHUNKINGS)
def test_any_text_is_kept_word_by_word(text: str, chunking: Chunking) -> None:
    parsed = ParsedDocument("T", (Section((), (Block(BlockKind.PARAGRAPH, text.strip()),)),) if text.strip() else ())
    chunks = cut(parsed, Chunking(chunking.target, 0), MAX_TOKENS, count_words)
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())


MARKUP = st.lists(
    st.sampled_from([
        "a ", "b.", "\n", "\n\n", "   ", "# ", "* ", "1. ", "> ", "```\n", "`", "``", "|", "|-|-|\n", "===\n", "::\n\n",
        ".. ", "note::", "figure:: x\n", "list-table::\n", "csv-table:: x\n", "role:: q(raw)\n   :format: html\n", "|x| ",
        "replace:: a", "_a:", "[a](b)", "![c](d)", "<div>", "</p>", "<li>", "<td>", "<table>", "<h1>", "<!--", "-->",
        "{#x}", "**", "&amp;", "\\", "é", "日本。", "---\ntitle: t\n---\n", "\t", ":a: b\n", "-a  o\n", "term\n  def\n",
    ]),
    max_size=60,
).map("".join)  # fmt: skip


@settings(max_examples=60)
@given(MARKUP, st.sampled_from(list(TextFormat)), CHUNKINGS)
def test_any_markup_is_parsed_and_cut_or_refused(text: str, format: TextFormat, chunking: Chunking) -> None:
    document = Document(id="x", text=text, format=format)
    try:
        parsed = parse_document(document)
    except UnreadableDocument:
        return
    assert parse_document(document) == parsed
    chunks = cut(parsed, chunking, MAX_TOKENS, count_words)
    assert all(chunk.text.strip() for chunk in chunks)
    assert bool(chunks) == bool(parsed.sections)
