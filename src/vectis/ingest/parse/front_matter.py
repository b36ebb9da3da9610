"""YAML front matter: the title and the payload keys that Vectis knows. Other keys are left out."""

import re
from datetime import UTC, date, datetime
from typing import Any, cast

import yaml

FRONT_MATTER_CHARACTERS_MAX = 16 * 1024
_FENCE = "---"
_TEXT_KEYS = ("language", "framework", "doc_type", "version")
_DATE_KEYS = ("last_updated", "lastmod", "last_modified", "updated", "date")
_DIGITS = re.compile(r"\s*[0-9]{1,18}\s*")


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The front matter's mapping and the text after it; an empty mapping when there is none or it is not YAML."""
    if not text.startswith(_FENCE + "\n"):
        return {}, text
    end = text.find("\n" + _FENCE, len(_FENCE), FRONT_MATTER_CHARACTERS_MAX)
    if end < 0:
        return {}, text
    line_end = text.find("\n", end + 1)
    line_end = len(text) if line_end < 0 else line_end
    if text[end + 1 : line_end].rstrip() != _FENCE:
        return {}, text
    try:
        loaded: Any = yaml.safe_load(text[len(_FENCE) : end])
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return {}, text[line_end:]
    mapping = cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else {}
    return mapping, text[line_end:]


def title_of(front: dict[str, Any]) -> str:
    """The title, empty when there is none."""
    title = front.get("title")
    return " ".join(str(title).split()) if isinstance(title, str | int | float) else ""


def payload_of(front: dict[str, Any]) -> dict[str, Any]:
    """The known payload keys with values of their kind: last_updated RFC 3339, difficulty_level an integer, the rest text."""
    payload: dict[str, Any] = {}
    for key in _TEXT_KEYS:
        value = front.get(key)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
            payload[key] = str(value).strip()
    for key in _DATE_KEYS:
        moment = _rfc3339(front.get(key))
        if moment:
            payload["last_updated"] = moment
            break
    level = front.get("difficulty_level")
    if isinstance(level, str) and _DIGITS.fullmatch(level):
        level = int(level)
    if isinstance(level, int) and not isinstance(level, bool) and abs(level) < 2**63:
        payload["difficulty_level"] = level
    return payload


def _rfc3339(value: object) -> str | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    else:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat().replace("+00:00", "Z")
