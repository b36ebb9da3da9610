"""Values of the shared tier: what was sealed comes back, and nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from vectis.adapters.redis.sealed import PLAIN, SEAL_BYTES, VALUE_MAX, ZSTD, seal, unseal


@given(st.binary(max_size=3000), st.integers(1, 40))
def test_what_was_sealed_comes_back(value: bytes, times: int) -> None:
    assert unseal("key", seal("key", value * times)) == value * times


@given(st.binary(max_size=200))
def test_garbage_does_not(garbage: bytes) -> None:
    assert unseal("key", garbage) is None


@given(st.binary(min_size=1, max_size=3000), st.data())
def test_a_changed_byte_does_not(value: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal("key", value))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    assert unseal("key", bytes(sealed)) is None


def test_the_value_of_another_key_does_not() -> None:
    assert unseal("one", seal("another", b"value")) is None


def test_it_is_compressed_where_that_pays() -> None:
    small, text, noise = b"a" * 1024, b"some words " * 200, bytes((i * i * 7919 >> 5) % 256 for i in range(1025))
    assert seal("key", small)[:1] == PLAIN
    assert seal("key", text)[:1] == ZSTD
    assert len(seal("key", text)) < len(text) / 10
    assert len(seal("key", noise)) <= 1 + SEAL_BYTES + len(noise)


def test_more_than_a_value_may_be_is_not_unpacked() -> None:
    assert unseal("key", seal("key", bytes(VALUE_MAX))) == bytes(VALUE_MAX)
    assert unseal("key", seal("key", bytes(VALUE_MAX + 1))) is None
