"""From an outline to chunks: sections are packed, small neighbours joined, the heading path put before each. Pure.

Cutting inside a block is split.py's.
"""

from collections.abc import Iterable, Iterator

import msgspec

from vectis.domain.documents import Chunk
from vectis.domain.profiles import Chunking
from vectis.ingest.parse.outline import Block, BlockKind, ParsedDocument, Section
from vectis.ingest.split import CountTokens, Piece, pieces_of, sentences

CONTEXT_SHARE = 4
"""The context takes at most one token in four of what the embedder reads."""
SPECIAL_TOKENS = 2
"""What an embedder adds around a text ([CLS], [SEP])."""
CHARACTERS_PER_TOKEN_MAX = 16
"""No text has fewer tokens than one for so many characters, which bounds the characters of a chunk."""
TOKENS_MIN = 8
"""The least room for text that a chunk is given, however small the target."""


class _Group(msgspec.Struct, frozen=True):
    """Sections that are cut together: one, or small neighbours under the same parent."""

    heading_path: tuple[str, ...]
    sections: tuple[Section, ...]


def cut(parsed: ParsedDocument, chunking: Chunking, max_tokens: int, count_tokens: CountTokens) -> list[Chunk]:
    """The chunks of a document, in reading order; the same input always gives the same chunks.

    Every word of every block is in some chunk. `context` and text together stay within `max_tokens`, as `count_tokens`
    counts and with room for the model's special tokens; only code between one and two targets, never cut, may pass it.
    """
    count = _counting(count_tokens, 2 * max(chunking.target, max_tokens))
    chunks: list[Chunk] = []
    for group in _grouped(parsed.sections, chunking.target, count):
        context = _context(parsed.title, group.heading_path, max_tokens // CONTEXT_SHARE, count)
        limit = max(max_tokens - SPECIAL_TOKENS - count(context), TOKENS_MIN)
        target = min(max(chunking.target, TOKENS_MIN), limit)
        pieces = [piece for section in group.sections for piece in _section_pieces(section, group, target, count)]
        for text in _packed(pieces, target, min(chunking.overlap, target // 2), count):
            chunks.append(Chunk(len(chunks), text, group.heading_path, context))
    return chunks


def _counting(count_tokens: CountTokens, enough: int) -> CountTokens:
    """Counts an endless word, which a tokenizer may call one token, by its characters; beyond `enough` so counts any text.

    A block is asked for more than once on its way, so counts are kept as long as the document is.
    """
    known: dict[str, int] = {}

    def count(text: str) -> int:
        least = -(-len(text) // CHARACTERS_PER_TOKEN_MAX)
        if least > enough:
            return least
        if text not in known:
            known[text] = max(count_tokens(text), least)
        return known[text]

    return count


def _grouped(sections: Iterable[Section], target: int, count: CountTokens) -> Iterator[_Group]:
    members: list[Section] = []
    root: tuple[str, ...] = ()
    filled = 0
    for section in sections:
        tokens = sum(count(block.text) for block in section.blocks) + count(" ".join(section.heading_path[-1:]))
        joint = _shared_path(root, section.heading_path) if members else section.heading_path
        near = all(len(member.heading_path) - len(joint) <= 1 for member in (*members, section))
        if members and not (near and filled + tokens <= target):
            yield _Group(root, tuple(members))
            members, filled, joint = [], 0, section.heading_path
        members.append(section)
        root = joint
        filled += tokens
    if members:
        yield _Group(root, tuple(members))


def _shared_path(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    length = 0
    while length < min(len(a), len(b)) and a[length] == b[length]:
        length += 1
    return a[:length]


def _section_pieces(section: Section, group: _Group, target: int, count: CountTokens) -> Iterator[Piece]:
    """The section's pieces; headings that the context does not name come first."""
    headings = section.heading_path[len(group.heading_path) :]
    for heading in headings if section.blocks else section.heading_path[-1:]:
        yield from pieces_of(Block(BlockKind.PARAGRAPH, heading), target, count)
    for block in section.blocks:
        yield from pieces_of(block, target, count)


def _context(title: str, heading_path: tuple[str, ...], tokens_max: int, count: CountTokens) -> str:
    repeated = bool(heading_path) and _letters(heading_path[0]) == _letters(title)
    names = [" ".join(name.split()) for name in (title, *heading_path[repeated:]) if name.strip()]
    while len(names) > 2 and count(_line(names)) > tokens_max:
        del names[1]
    words = _line(names).split()
    while words and count(" ".join(words)) > tokens_max:
        words = words[: len(words) * 3 // 4]
    return " ".join(words) + " " if words else ""


def _letters(name: str) -> str:
    """What is left of a name without blanks, case and markup."""
    return "".join(filter(str.isalnum, name)).casefold()


def _line(names: list[str]) -> str:
    return " > ".join(names) + "." if names else ""


def _packed(pieces: list[Piece], target: int, overlap: int, count: CountTokens) -> Iterator[str]:
    gathered: list[Piece] = []
    filled = 0
    for piece in pieces:
        if gathered and filled + piece.tokens > target:
            yield _joined(gathered)
            gathered = _tail(gathered[-1], min(overlap, target - piece.tokens), count)
            filled = sum(p.tokens for p in gathered)
        gathered.append(piece)
        filled += piece.tokens
    if gathered:
        yield _joined(gathered)


def _joined(pieces: list[Piece]) -> str:
    return "".join((p.before if i else "") + p.text for i, p in enumerate(pieces)).strip("\n")


def _tail(piece: Piece, overlap: int, count: CountTokens) -> list[Piece]:
    """The last sentences of a piece of prose that fit into `overlap` tokens, to begin the next chunk with."""
    if not piece.repeatable or overlap <= 0:
        return []
    kept: list[str] = []
    filled = 0
    for sentence in reversed(sentences(piece.text)):
        filled += count(sentence)
        if filled > overlap:
            break
        kept.insert(0, sentence)
    return [Piece(" ".join(kept), count(" ".join(kept)), "")] if kept else []
