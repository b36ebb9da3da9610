"""Cutting one block into pieces that fit: paragraphs at sentences, lists and code at line ends, tables at rows. Pure."""

import re
from collections.abc import Callable, Iterator

import msgspec

from vectis.ingest.parse.outline import Block, BlockKind

CountTokens = Callable[[str], int]

_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|(?<=[。！？])|\n{2,}")

_WORD = re.compile(r"\w+|[^\w\s]")


class Piece(msgspec.Struct, frozen=True):
    """Text that is not cut further, its tokens, and what stands between it and the piece before it."""

    text: str
    tokens: int
    before: str
    repeatable: bool = False


def pieces_of(block: Block, target: int, count: CountTokens) -> list[Piece]:
    """The block as pieces of at most `target` tokens, in order, nothing lost.

    Code is whole up to twice the target. The rows of a table follow its header in every piece. Only a single word longer than
    the target is cut between characters.
    """
    whole = count(block.text)
    prose = block.kind in {BlockKind.PARAGRAPH, BlockKind.LIST}
    if whole <= (2 * target if block.kind is BlockKind.CODE else target):
        return [Piece(block.text, whole, "\n\n", repeatable=prose)]
    if block.kind is BlockKind.TABLE:
        return _table_pieces(block.text.split("\n"), target, count)
    parts = [(" ", s) for s in sentences(block.text)] if block.kind is BlockKind.PARAGRAPH else list(_lines(block.text))
    pieces: list[Piece] = []
    for before, part in parts:
        for text, tokens in _fitting(part, target, count, keep_spaces=block.kind is BlockKind.CODE):
            pieces.append(Piece(text, tokens, before if pieces else "\n\n", repeatable=prose))
    return pieces


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph, without the blanks between them."""
    found: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        found.append(text[start : match.end()].strip())
        start = match.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def count_words(text: str) -> int:
    """Words and punctuation marks: a count for when no model's tokenizer can be had."""
    return len(_WORD.findall(text))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Each line that is not blank, after the line ends before it."""
    before = ""
    for line in text.split("\n"):
        before += "\n"
        if line.strip():
            yield before, line
            before = ""


def _table_pieces(lines: list[str], target: int, count: CountTokens) -> list[Piece]:
    header, rows = lines[0], lines[1:]
    header_tokens = count(header)
    repeat = rows and header_tokens <= target // 3
    room = target - header_tokens if repeat else target
    pieces: list[Piece] = []
    gathered: list[str] = []
    filled = 0
    for text, tokens in (fit for row in (rows if repeat else lines) for fit in _fitting(row, room, count)):
        if gathered and filled + tokens > room:
            pieces.append(_rows_piece(header if repeat else "", gathered, count))
            gathered, filled = [], 0
        gathered.append(text)
        filled += tokens
    pieces.append(_rows_piece(header if repeat else "", gathered, count))
    return pieces


def _rows_piece(header: str, rows: list[str], count: CountTokens) -> Piece:
    text = "\n".join([header, *rows] if header else rows)
    return Piece(text, count(text), "\n\n")


def _fitting(text: str, target: int, count: CountTokens, *, keep_spaces: bool = False) -> Iterator[tuple[str, int]]:
    """`text` whole when it fits, else runs of its words that do; words alone too long are cut between characters."""
    whole = count(text)
    if whole <= target:
        yield text, whole
        return
    words = re.findall(r"\s*\S+", text) if keep_spaces else text.split()
    between = "" if keep_spaces else " "
    run: list[str] = []
    filled = 0
    for word in words:
        tokens = count(word)
        if run and filled + tokens > target:
            yield between.join(run), filled
            run, filled = [], 0
        if tokens > target:
            yield from _slices(word, target, count)
            continue
        run.append(word)
        filled += tokens
    if run:
        yield between.join(run), filled


def _slices(word: str, target: int, count: CountTokens) -> Iterator[tuple[str, int]]:
    """Parts of one endless word; each part is halved until it fits or is a single character."""
    waiting = [word]
    while waiting:
        part = waiting.pop()
        tokens = count(part)
        if tokens <= target or len(part) == 1:
            yield part, tokens
        else:
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]
