"""The ids of chunks."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from vectis.domain.documents import chunk_id, document_parts
from vectis.domain.points import canonical_id

PARTS = st.tuples(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), st.integers(0, 9))


@given(PARTS)
def test_a_chunk_id_is_a_uuid_of_version_8_as_engines_keep_it(parts: tuple[str, str, str, int]) -> None:
    id = chunk_id(*parts)
    assert canonical_id(id) == id == chunk_id(*parts)
    assert (UUID(id).version, UUID(id).variant) == (8, "specified in RFC 4122")


def test_chunks_of_one_document_and_of_no_other_share_their_documents_part() -> None:
    first, second = chunk_id("docs", "a", "x", 0), chunk_id("docs", "a", "x", 1)
    assert first != second
    others = [chunk_id("docs", "b", "x", 0), chunk_id("more", "a", "x", 0)]
    parts = document_parts([first, second, *others])
    assert parts[0] == parts[1]
    assert len({*parts}) == 3


def test_any_other_point_stands_for_itself() -> None:
    ids = [7, "6f2f6d0a-6a0e-5f0e-9d4e-1c7f0a3b8e21"]
    assert document_parts(ids) == ids
