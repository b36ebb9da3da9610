"""What each parser makes of a document, and that no input makes it hang, fall over, or read anything else."""

import random
from pathlib import Path

import pytest

from vectis.domain.documents import Document, TextFormat
from vectis.domain.errors import UnreadableDocument
from vectis.ingest.parse.document import parse_document
from vectis.ingest.parse.inline import plain_text
from vectis.ingest.parse.outline import TEXT_CHARACTERS_MAX, ParsedDocument

MARKDOWN, HTML, RST, TEXT = TextFormat.MARKDOWN, TextFormat.HTML, TextFormat.RST, TextFormat.TEXT


def parse(text: str, format: TextFormat, *, seconds_max: float = 30.0) -> ParsedDocument:
    return parse_document(Document(id="x", text=text, format=format), seconds_max=seconds_max)


def flat(parsed: ParsedDocument) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (section.heading_path, block.kind.value, block.text) for section in parsed.sections for block in section.blocks
    ]


def test_markdown_keeps_structure_and_drops_noise() -> None:
    parsed = parse(
        "---\ntitle: Guide\nversion: 2.1\ndate: 2024-01-02\ndifficulty_level: 3\nsecret: no\n---\n"
        "[![Build](https://img.shields.io/x.svg)](https://ci.example.org)\n\n"
        "# Start { #start }\n\nSome *text* with [a link](https://example.org/a_(b)) and `<T>` <!-- note -->now.\n\n"
        "* one\n* two\n  - deep\n\n  ```py\n  x = 1\n\n  y = 2\n  ```\n\n"
        "| a | b |\n|---|---|\n| 1 | [2](x) |\n\n"
        "## More\n\n> quoted\n\n<details><summary>Sum</summary>\n\nInner\n\n</details>\n",
        MARKDOWN,
    )
    assert parsed.title == "Guide"
    assert parsed.payload == {"version": "2.1", "last_updated": "2024-01-02T00:00:00Z", "difficulty_level": 3}
    assert parsed.code_language == "python"
    assert flat(parsed) == [
        (("Start",), "paragraph", "Some text with a link and <T> now."),
        (("Start",), "list", "- one\n- two\n  - deep"),
        (("Start",), "code", "x = 1\n\ny = 2"),
        (("Start",), "table", "a | b\n1 | 2"),
        (("Start", "More"), "paragraph", "quoted"),
        (("Start", "More"), "paragraph", "Sum"),
        (("Start", "More"), "paragraph", "Inner"),
    ]


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("**bold** and __strong__ words__", "bold and __strong__ words__"),
        ("call `__init__` or __init__ of snake_case_name", "call __init__ or __init__ of snake_case_name"),
        ("2 * 3 * 4 and a*b", "2 * 3 * 4 and a*b"),
        ("redis-cli -h <host> <b>now</b>", "redis-cli -h <host> now"),
        ("<https://example.org/x> &amp; more", "https://example.org/x & more"),
        ("[`code`](x) [ref][1] ![alt](i.png)", "code ref alt"),
        (r"escaped \*stars\* and \[brackets\](x)", "escaped *stars* and [brackets](x)"),
        ("a {* ../src/x.py hl[1:2] *} b {% include x %} c {{< ref >}} d { e } {{ f }}", "a b c d { e } {{ f }}"),
        ("open <!-- comment", "open <!-- comment"),
    ],
)
def test_inline_markdown_becomes_what_a_reader_sees(written: str, seen: str) -> None:
    assert plain_text(written) == seen


def test_html_keeps_the_main_content() -> None:
    parsed = parse(
        "<html><head><title>Page — Site</title><script>var x</script></head><body><nav>Menu</nav><main>"
        "<h1>Page<a class='headerlink' href='#p'>¶</a></h1><p>Hello <b>wor</b>ld<br>next</p>"
        "<ul><li>a<ul><li>b</li></ul></li><li><p>c</p></li></ul>"
        "<div class='highlight-python3'><pre><span>x</span> = 1\n  y</pre></div>"
        "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>"
        "<h3>Deep</h3><dl><dt>term</dt><dd>meaning</dd></dl></main><footer>Imprint</footer></body></html>",
        HTML,
    )
    assert parsed.title == "Page"
    assert parsed.code_language == "python"
    assert flat(parsed) == [
        (("Page",), "paragraph", "Hello world next"),
        (("Page",), "list", "- a\n  - b\n- c"),
        (("Page",), "code", "x = 1\n  y"),
        (("Page",), "table", "A | B\n1 | 2"),
        (("Page", "Deep"), "paragraph", "term"),
        (("Page", "Deep"), "paragraph", "meaning"),
    ]


def test_rst_reads_sphinx_as_text() -> None:
    parsed = parse(
        "Title\n=====\n\nUse :func:`~os.path.join` and `a link <https://example.org>`_ or :ref:`there <x>`.\n\n"
        ".. code-block:: python\n\n   x = 1\n\n.. function:: join(a, b)\n\n   Joins.\n\n.. toctree::\n\n   other\n\n"
        ".. odd-thing:: kept\n\n* a\n* b\n\n  * c\n\nterm\n  meaning\n\nSub\n---\n\n>>> 1 + 1\n2\n\n"
        "=== ===\na   b\n=== ===\n1   2\n=== ===\n",
        RST,
    )
    assert flat(parsed) == [
        (("Title",), "paragraph", "Use os.path.join and a link or there."),
        (("Title",), "code", "x = 1"),
        (("Title",), "paragraph", "join(a, b)"),
        (("Title",), "paragraph", "Joins."),
        (("Title",), "paragraph", ".. odd-thing:: kept"),
        (("Title",), "list", "- a\n- b\n  - c"),
        (("Title",), "paragraph", "term: meaning"),
        (("Title", "Sub"), "code", ">>> 1 + 1\n2"),
        (("Title", "Sub"), "table", "a | b\n1 | 2"),
    ]


def test_rst_never_reads_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("top,secret")
    text = "".join(
        f"{directive}\n\n"
        for directive in (
            f".. include:: {secret}", f".. literalinclude:: {secret}", f".. raw:: html\n   :file: {secret}",
            f".. csv-table:: t\n   :file: {secret}", f".. raw:: html\n   :url: file://{secret}",
        )
    )  # fmt: skip
    assert "top" not in str(flat(parse(text + "end", RST)))


def test_text_is_paragraphs() -> None:
    assert flat(parse("# no heading\nline\n\n\n  next ", TEXT)) == [
        ((), "paragraph", "# no heading\nline"),
        ((), "paragraph", "next"),
    ]


@pytest.mark.parametrize("format", list(TextFormat))
def test_carriage_returns_and_a_byte_order_mark_do_not_matter(format: TextFormat) -> None:
    assert parse("\ufeffone\r\ntwo\r\n\r\nthree", format).sections == parse("one\ntwo\n\nthree", format).sections


@pytest.mark.parametrize("format", list(TextFormat))
@pytest.mark.parametrize("text", ["x" * (TEXT_CHARACTERS_MAX + 1), "binary\x00"])
def test_what_is_too_large_or_binary_is_refused(text: str, format: TextFormat) -> None:
    with pytest.raises(UnreadableDocument):
        parse(text, format)


HOSTILE = {
    "quotes": ">" * 10_000 + "x",
    "lists": "\n".join("  " * depth + "- a" for depth in range(1000)),
    "list on one line": "- " * 10_000 + "x",
    "divs": "<div>" * 10_000 + "x" + "</div>" * 10_000,
    "tables": "<table><tr><td>" * 10_000,
    "blocks in blocks": "".join(" " * depth + "a\n\n" for depth in range(1000)),
    "brackets": "[" * 300_000,
    "links": "[a](" * 100_000,
    "ticks": "` " * 150_000,
    "stars": "*a " * 100_000,
    "comments": "<!--" * 75_000,
    "one word": "x" * 300_000,
    "garbage": "".join(random.Random(1).choices("ab \n*_`[]()<>#|-:=\\!~{}&;\"'0.\t>+", k=300_000)),
    "yaml": "---\n" + "[" * 10_000 + "\n---\nx",
    "yaml date": "---\ndate: 2024-13-45\n---\nx",
}


@pytest.mark.parametrize("format", list(TextFormat))
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_parsed_or_refused(name: str, format: TextFormat) -> None:
    try:
        parsed = parse(HOSTILE[name], format)
    except UnreadableDocument:
        return
    assert all(block.text.strip() for section in parsed.sections for block in section.blocks)


@pytest.mark.parametrize(
    ("text", "format"),
    [("# a\n" * 100_000, MARKDOWN), ("<p>a" * 100_000, HTML), ("a\n=\n" * 50_000, RST), ("a\n\n" * 100_000, TEXT)],
)
def test_the_time_for_a_document_is_bounded(text: str, format: TextFormat) -> None:
    with pytest.raises(UnreadableDocument, match="too long"):
        parse(text, format, seconds_max=0.0)


@pytest.mark.parametrize("level", ["9" * 30, "-" + "9" * 30, f"'{'9' * 5000}'", f"'{'9' * 19}'", ".inf", "[1]"])
def test_a_level_that_no_engine_keeps_is_left_out(level: str) -> None:
    parsed = parse(f"---\ndifficulty_level: {level}\nversion: 1\n---\ntext", MARKDOWN)
    assert parsed.payload == {"version": "1"}
