"""How a value lies in the shared tier: one byte for the codec, a seal of eight bytes over key, codec and content, the content.

The seal tells a value from garbage, and from the value of another key that a confused server or connection hands out. It is a
checksum and no signature.
"""

from hashlib import blake2b

from backports import zstd

PLAIN = b"\x00"
ZSTD = b"\x01"
SEAL_BYTES = 8
LEVEL = 3

COMPRESS_FROM = 1024
WORTH_IT = 0.9
"""Compressed only when that leaves less than this share."""

VALUE_MAX = 1_048_576
"""Larger values would not come within the time that a question waits for the tier."""


def seal(key: str, value: bytes) -> bytes:
    """The value as it is sent, compressed when it is larger than 1 KiB and becomes more than a tenth smaller."""
    codec, content = PLAIN, value
    if len(value) > COMPRESS_FROM:
        compressed = zstd.compress(value, LEVEL)
        if len(compressed) < WORTH_IT * len(value):
            codec, content = ZSTD, compressed
    return codec + _sum(key, codec, content) + content


def unseal(key: str, sealed: bytes) -> bytes | None:
    """The value; None when this is not what was sealed under the key."""
    codec, told, content = sealed[:1], sealed[1 : 1 + SEAL_BYTES], sealed[1 + SEAL_BYTES :]
    if told != _sum(key, codec, content):
        return None
    if codec == PLAIN:
        return content
    decompressor = zstd.ZstdDecompressor()
    try:
        value = decompressor.decompress(content, VALUE_MAX)
    except zstd.ZstdError:
        return None
    return value if decompressor.eof else None


def _sum(key: str, codec: bytes, content: bytes) -> bytes:
    return blake2b(content, digest_size=SEAL_BYTES, key=blake2b(codec + key.encode(), digest_size=32).digest()).digest()
