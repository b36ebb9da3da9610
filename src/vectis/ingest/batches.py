"""How many documents an ingest job takes at once. Pure; reading the memory is the caller's."""

import msgspec

BATCH_MIN = 8
AMPLE_SHARE = 0.5
PRESSURE_SHARE = 0.2


class Memory(msgspec.Struct, frozen=True):
    """Bytes that may still be used, and all that there are."""

    available: int
    total: int


def batch_size(documents: int, memory: Memory) -> int:
    """Documents of the next batch out of `documents`: a tenth (1000 at most) with ample memory, a twentieth (500 at most)
    when less than half is free, a fiftieth (100 at most) when less than a fifth is. At least 8, never more than there are.
    """
    share = memory.available / memory.total if memory.total else 0.0
    if share >= AMPLE_SHARE:
        size = min(1000, documents // 10)
    elif share >= PRESSURE_SHARE:
        size = min(500, documents // 20)
    else:
        size = min(100, documents // 50)
    return min(documents, max(size, BATCH_MIN))
