"""The generator over a chat completion endpoint."""

from typing import Annotated, Any

import msgspec

from vectis.adapters.openai.endpoint import ModelEndpoint
from vectis.domain.errors import GeneratorUnavailable
from vectis.domain.ports.generator import Completion
from vectis.domain.texts import sound


class _Message(msgspec.Struct, frozen=True):
    content: str | None


class _Choice(msgspec.Struct, frozen=True):
    message: _Message


class _Usage(msgspec.Struct, frozen=True):
    total_tokens: Annotated[int, msgspec.Meta(ge=0)]


class _ChatCompletion(msgspec.Struct, frozen=True):
    choices: list[_Choice]
    usage: _Usage


class EndpointGenerator:
    """`model` at `base_url`/chat/completions; an empty `api_key` is not sent. All tries together have `deadline_s`."""

    def __init__(
        self, base_url: str, api_key: str, model: str, *, deadline_s: float = 30.0, retry_wait_s: float = 0.5
    ) -> None:
        self._endpoint = ModelEndpoint(
            base_url,
            api_key,
            what="chat completion",
            failure=GeneratorUnavailable,
            timeout_s=deadline_s,
            retry_wait_s=retry_wait_s,
        )
        self._model = model
        self._deadline_s = deadline_s

    @property
    def model(self) -> str:
        """As configured; the endpoint is not asked."""
        return self._model

    async def complete(self, prompt: str, *, temperature: float, max_tokens: int) -> Completion:
        """The first choice of the endpoint."""
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": "user", "content": sound(prompt)}],
            "temperature": temperature,
            "max_tokens": max_tokens,
        }
        content = await self._endpoint.post("chat/completions", body, self._deadline_s)
        try:
            answer = msgspec.json.decode(content, type=_ChatCompletion)
        except (msgspec.DecodeError, RecursionError) as error:
            raise GeneratorUnavailable(
                f"the chat completion endpoint answers something else than a completion: {error}"
            ) from error
        text = answer.choices[0].message.content if answer.choices else None
        if not text or not text.strip():
            raise GeneratorUnavailable(
                f"the chat completion endpoint wrote nothing in {max_tokens} tokens; a model that reasons first needs more"
            )
        return Completion(text, answer.usage.total_tokens)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()
