"""Plain text: paragraphs between blank lines; no headings are guessed."""

from vectis.ingest.parse.outline import BlockKind, OutlineBuilder


def parse_plain(text: str, outline: OutlineBuilder) -> None:
    """Add each run of non-blank lines as a paragraph."""
    paragraph: list[str] = []
    for line in text.split("\n"):
        if line.strip():
            paragraph.append(line.rstrip())
        elif paragraph:
            outline.add(BlockKind.PARAGRAPH, "\n".join(paragraph))
            paragraph = []
    outline.add(BlockKind.PARAGRAPH, "\n".join(paragraph))
