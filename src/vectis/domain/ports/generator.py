"""Writing text by a language model."""

from typing import Protocol

import msgspec


class Completion(msgspec.Struct, frozen=True):
    """What a model wrote, and the tokens of prompt and text together that it took."""

    text: str
    tokens: int


class Generator(Protocol):
    """One language model."""

    @property
    def model(self) -> str:
        """Its name. GeneratorUnavailable when there is none."""
        ...

    async def complete(self, prompt: str, *, temperature: float, max_tokens: int) -> Completion:
        """What the model writes after `prompt`, at most `max_tokens`. Raises GeneratorUnavailable."""
        ...

    async def close(self) -> None:
        """Release connections; later calls raise GeneratorUnavailable."""
        ...
