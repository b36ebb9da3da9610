"""Reading a safetensors file: eight bytes of header length, a JSON header, raw little-endian arrays."""

from math import prod
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vectis.domain.errors import InvalidSetting

HEADER_BYTES_MAX = 1_000_000


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[Annotated[int, msgspec.Meta(ge=0)], ...]
    data_offsets: tuple[int, int]


def read_float_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """All float32 tensors by name, mapped from the file, read-only. Raises InvalidSetting when the file is not sound."""
    try:
        content = np.memmap(path, dtype=np.uint8, mode="r")
        length = int.from_bytes(content[:8].tobytes(), "little")
        if length > min(HEADER_BYTES_MAX, content.size - 8):
            raise InvalidSetting(f"{path} is not a safetensors file: its header would hold {length} bytes")
        header = msgspec.json.decode(content[8 : 8 + length].tobytes(), type=dict[str, dict[str, Any]])
        header.pop("__metadata__", None)
        entries = msgspec.convert(header, dict[str, _Entry])
    except (OSError, ValueError) as error:  # msgspec's errors and numpy's for an empty file are ValueErrors
        raise InvalidSetting(f"{path} is not a safetensors file: {error}") from error
    body = content[8 + length :]
    return {name: _tensor(path, name, entry, body) for name, entry in entries.items() if entry.dtype == "F32"}


def _tensor(path: Path, name: str, entry: _Entry, body: NDArray[np.uint8]) -> NDArray[np.float32]:
    begin, end = entry.data_offsets
    if not 0 <= begin <= end <= body.size or end - begin != 4 * prod(entry.shape):
        raise InvalidSetting(f"{path}: the place of tensor {name} is outside the file or does not fit its shape")
    return body[begin:end].view("<f4").reshape(entry.shape)
