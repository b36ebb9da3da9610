"""The text of keys: what is one, and what a typing error does to it."""

from hypothesis import given
from hypothesis import strategies as st

from vectis.access.keys import id_of_key, make_key


def test_a_key_says_what_it_is() -> None:
    key_id, text = make_key("live")
    prefix, environment, public, secret, checksum = text.split("_")
    assert (prefix, environment, public) == ("vts", "live", key_id)
    assert (len(secret), len(checksum)) == (43, 6)
    assert id_of_key(text) == key_id


def test_no_key_is_made_twice() -> None:
    assert len({make_key("live")[1] for _ in range(1000)}) == 1000


@given(st.integers(0, 70), st.characters(codec="ascii"))
def test_a_changed_letter_is_no_key(place: int, letter: str) -> None:
    _, text = make_key("live")
    place %= len(text)
    changed = text[:place] + letter + text[place + 1 :]
    assert (id_of_key(changed) is None) == (changed != text)


@given(st.text())
def test_other_texts_are_no_keys(text: str) -> None:
    assert id_of_key(text) is None
    assert id_of_key(f"vts_live_{text}") is None
