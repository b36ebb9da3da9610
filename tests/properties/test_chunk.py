"""Whatever the outline: chunks lose nothing, keep the order, stay within bounds, and come out the same each time."""

import re

from hypothesis import given
from hypothesis import strategies as st

from vectis.domain.profiles import Chunking
from vectis.ingest.chunk import SPECIAL_TOKENS, cut
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


@given(DOCUMENTS, CHUNKINGS)
def test_no_word_is_lost_and_order_is_kept(parsed: ParsedDocument, chunking: Chunking) -> None:
    chunks = cut(parsed, Chunking(chunking.target, 0), MAX_TOKENS, count_words)
    written = [w for s in parsed.sections for b in s.blocks if b.kind is not BlockKind.TABLE for w in words(b.text)]
    tables = {w for s in parsed.sections for b in s.blocks if b.kind is BlockKind.TABLE for w in words(b.text)}
    found = [w for chunk in chunks for w in words(chunk.text)]
    assert tables <= set(found)
    rest = iter(found)
    assert all(word in rest for word in written)


@given(DOCUMENTS, CHUNKINGS)
def test_overlap_only_adds(parsed: ParsedDocument, chunking: Chunking) -> None:
    chunks = cut(parsed, chunking, MAX_TOKENS, count_words)
    written = {w for s in parsed.sections for b in s.blocks for w in words(b.text)}
    assert {w for chunk in chunks for w in words(chunk.text)} == written


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


@given(DOCUMENTS, CHUNKINGS)
def test_same_input_gives_the_same_chunks(parsed: ParsedDocument, chunking: Chunking) -> None:
    assert cut(parsed, chunking, MAX_TOKENS, count_words) == cut(parsed, chunking, MAX_TOKENS, count_words)


@given(st.text(max_size=400), CHUNKINGS)
def test_any_text_is_kept_word_by_word(text: str, chunking: Chunking) -> None:
    parsed = ParsedDocument("T", (Section((), (Block(BlockKind.PARAGRAPH, text.strip()),)),) if text.strip() else ())
    chunks = cut(parsed, Chunking(chunking.target, 0), MAX_TOKENS, count_words)
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())
