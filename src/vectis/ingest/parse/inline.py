"""Markdown within a line: what a reader sees of it, as plain text. Linear in the length of the text, whatever it holds.

Blocks are markdown.py's.
"""

import html
import re

_HELD = "\ue000{}\ue001"
_HELD_RE = re.compile("\ue000([0-9]++)\ue001")
_CODE = re.compile(r"(?<!`)(`{1,2})(?!`)([^`]++)\1(?!`)")
_TARGET = r"\((?:[^()\n]|\([^()\n]*+\))*+\)"
_BADGE_LINK = re.compile(rf"\[\s*+!\[[^\[\]]*+\](?:{_TARGET}|\[[^\[\]]*+\])\s*+\](?:{_TARGET}|\[[^\[\]]*+\])")
_IMAGE = re.compile(rf"!\[([^\[\]]*+)\](?:({_TARGET})|\[[^\[\]]*+\])")
_BADGE_URL = re.compile(r"badge|shields\.io", re.IGNORECASE)
_LINK = re.compile(rf"\[([^\[\]]*+)\](?:{_TARGET}|\[[^\[\]]*+\])")
_AUTOLINK = re.compile(r"<((?:https?|mailto|ftp):[^<>\s]++)>")
_TAG = re.compile(
    r"</?(?:a|abbr|b|bdi|big|br|button|center|cite|code|col|colgroup|dd|del|details|dfn|div|dl|dt|em|figcaption|figure|"
    r"font|footer|h[1-6]|header|hr|i|iframe|img|input|ins|kbd|label|li|main|mark|nav|ol|p|picture|pre|q|s|samp|section|small|"
    r"source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|var|video|wbr)"
    r"(?:\s[^<>]*+|/)?>",
    re.IGNORECASE,
)
_ATTRIBUTES = re.compile(r"\{:?\s*+[#.][^{}]*+\}")
_TEMPLATE = re.compile(r"\{%[^{}]*+(?<=%)\}|\{\{[<%][^{}]*+\}\}|\{\*[^{}]*+(?<=\*)\}")
_STRONG = re.compile(r"\*\*(?=[^\s*])([^*]++)\*\*|(?<!\w)__(?=[^\s_])([^_]*+[^\w_][^_]*+)__(?!\w)")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]++)\*(?![\w*])|(?<!\w)_(?=[^\s_])([^_]++)_(?!\w)")
_STRUCK = re.compile(r"~~([^~]++)~~")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def plain_text(text: str) -> str:
    """The visible text: links and emphasis keep their words, URLs, badges, comments, tags and anchors go."""
    held: list[str] = []

    def hold(found: str) -> str:
        held.append(found)
        return _HELD.format(len(held) - 1)

    text = text.replace("\ue000", "").replace("\ue001", "")
    text = _CODE.sub(lambda m: hold(m[2].strip() or m[0]), without_comments(text))
    text = _ESCAPE.sub(lambda m: hold(m[1]), text)
    text = _TEMPLATE.sub(" ", _ATTRIBUTES.sub("", text))
    text = _BADGE_LINK.sub("", text)
    text = _IMAGE.sub(lambda m: "" if m[2] and _BADGE_URL.search(m[2]) else m[1], text)
    text = _LINK.sub(lambda m: m[1], text)
    text = _TAG.sub(_space_for_break, _AUTOLINK.sub(lambda m: m[1], text))
    text = _STRONG.sub(lambda m: m[1] or m[2], text)
    text = _EMPHASIS.sub(lambda m: m[1] or m[2], text)
    text = html.unescape(_STRUCK.sub(lambda m: m[1], text))
    return " ".join(_HELD_RE.sub(lambda m: held[int(m[1])], text).split())


def without_comments(text: str) -> str:
    """The text without HTML comments; one that never ends is kept."""
    start = text.find("<!--")
    if start < 0:
        return text
    kept: list[str] = []
    position = 0
    while start >= 0:
        end = text.find("-->", start + 4)
        if end < 0:
            break
        kept.append(text[position:start])
        position = end + 3
        start = text.find("<!--", position)
    return "".join(kept) + text[position:]


def _space_for_break(match: re.Match[str]) -> str:
    return " " if match[0][1:4].lower().strip("/>") in {"br", "td", "th", "li", "p", "hr", "div"} else ""
