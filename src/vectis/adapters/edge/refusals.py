"""What the engine's exceptions mean, told by their messages: it raises bare Exception. The only place that reads them."""

from types import TracebackType

import msgspec

from vectis.domain.errors import DiskFull, InvalidInput, InvalidVector, VectisError, WrongDimension

_MEANINGS: tuple[tuple[str, type[VectisError]], ...] = (
    ("Vector dimension error", WrongDimension),
    ("Not existing vector name", InvalidVector),
    ("Wrong usage of", InvalidVector),
    ("Conversion between", InvalidVector),
    ("Validation error", InvalidInput),
    ("Bad input", InvalidInput),
    ("invalid JSON path", InvalidInput),
    ("failed to convert NaN", InvalidInput),
    ("failed to convert inf", InvalidInput),
    ("No space left on device", DiskFull),
)


def meaning(error: BaseException) -> VectisError | None:
    """The domain's error, or None when the engine failed in a way that nobody foresaw."""
    if isinstance(error, VectisError):
        return error
    if isinstance(error, msgspec.ValidationError):
        return InvalidInput(f"the request does not fit: {error}")
    message = str(error)
    for sign, kind in _MEANINGS:
        if sign in message:
            return kind(f"the engine refused: {message.splitlines()[0][:300]}")
    return None


class EngineErrors:
    """`with EngineErrors():` lets out errors of the domain, and RuntimeError for what nobody foresaw."""

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or isinstance(error, VectisError | RuntimeError):
            return
        raise meaning(error) or RuntimeError(f"{type(error).__name__}: {error}") from error
