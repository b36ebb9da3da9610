"""Other spellings: which there are, that the text stays, and that only a profile that says so has them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.domain.profiles import CollectionProfile
from vectis.domain.schema import CollectionSchema
from vectis.domain.spelling import with_spellings, words_of


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("IL-6 and non-small cells", ["IL6", "nonsmall"]),
        ("read\u2010only, read\u2011only", ["readonly", "readonly"]),
        ("a T-cell-like thing", ["Tcelllike"]),
        ("Python3, utf8mb4 and EC2", ["Python", "utf", "mb", "EC"]),
        ("BRCA-1a", ["BRCA1a"]),
        ("é-È ärzte4", ["éÈ", "ärzte"]),
        ("x-y-z-file in my-own-file-name", []),
        ("1990 -6 a -- b -c- p53 foo_bar x/y", []),
        ("", []),
    ],
)
def test_compounds_in_one_word_and_numbered_words_by_their_letters(text: str, others: list[str]) -> None:
    assert with_spellings(text) == " ".join([text, *others])


@given(st.text(alphabet=st.sampled_from("ab1-_. \n\u2011"), max_size=60))
def test_what_is_added_stands_in_the_text_but_for_its_hyphens(text: str) -> None:
    spelled = with_spellings(text)
    assert spelled.startswith(text)
    bare = text.translate(str.maketrans("", "", "-\u2010\u2011"))
    assert all(word in bare and word.isalnum() for word in spelled[len(text) :].split())


@pytest.mark.parametrize("text", ["a" * 300_000, "a-" * 100_000, "a1" * 100_000, "-" * 300_000])
def test_endless_words_are_read_once(text: str) -> None:
    assert with_spellings(text).startswith(text)


def test_a_profile_from_before_there_were_spellings_has_none() -> None:
    kept = msgspec.json.encode({"name": "document", "schema": CollectionSchema()})
    profile = msgspec.json.decode(kept, type=CollectionProfile)
    assert words_of(profile, "IL-6") == "IL-6"
    assert words_of(msgspec.structs.replace(profile, spellings=True), "IL-6") == "IL-6 IL6"
