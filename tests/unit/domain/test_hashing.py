"""The fingerprint of a document."""

import msgspec
import pytest

from vectis.domain.documents import Document, TextFormat
from vectis.domain.hashing import content_hash

DOCUMENT = Document(id="a", text="text", title="Title", payload={"a": 1, "b": {"c": [1, 2], "d": None}})


def test_it_is_128_bits_and_stays_the_same_over_releases() -> None:
    assert content_hash(DOCUMENT) == "816fa9a264bc238061d75933f6bfc5c8"


def test_the_order_of_keys_does_not_matter() -> None:
    turned = msgspec.structs.replace(DOCUMENT, payload={"b": {"d": None, "c": [1, 2]}, "a": 1})
    assert content_hash(turned) == content_hash(DOCUMENT)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "b"},
        {"text": "texts"},
        {"title": ""},
        {"format": TextFormat.HTML},
        {"source": "s"},
        {"url": "u"},
        {"payload": {"a": 1, "b": {"c": [2, 1], "d": None}}},
        {"payload": {"a": "1", "b": {"c": [1, 2], "d": None}}},
    ],
)
def test_every_part_matters(change: dict[str, object]) -> None:
    assert content_hash(msgspec.structs.replace(DOCUMENT, **change)) != content_hash(DOCUMENT)
