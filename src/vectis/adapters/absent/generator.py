"""The generator of a server without a language model: every call says so."""

from typing import NoReturn

from vectis.domain.errors import GeneratorUnavailable
from vectis.domain.ports.generator import Completion

RETRY_AFTER_S = 60.0
"""No call heals it; only a setting and a restart do."""


class AbsentGenerator:
    """Raises GeneratorUnavailable on every use."""

    @property
    def model(self) -> str:
        """Raises GeneratorUnavailable."""
        self._refuse()

    async def complete(self, prompt: str, *, temperature: float, max_tokens: int) -> Completion:
        """Raises GeneratorUnavailable."""
        self._refuse()

    async def close(self) -> None:
        """Nothing to release."""

    def _refuse(self) -> NoReturn:
        raise GeneratorUnavailable(
            "no language model: set generator.url to an OpenAI-compatible endpoint", retry_after_s=RETRY_AFTER_S
        )
