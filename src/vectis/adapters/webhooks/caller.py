"""Webhooks of rollouts: a signed POST to an address that the settings name, and yes or no."""

import asyncio
import hmac
from collections.abc import Sequence

import httpx
import msgspec
import structlog

from vectis.domain.rollouts import Hook, HookPoint, Rollout

SIGNATURE = "X-Vectis-Signature"
"""The header with "sha256=" and the HMAC-SHA256 of the body in hexadecimal digits."""

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("vectis.rollouts")


class SignedHooks:
    """vectis.rollouts.surroundings.HookCaller. Redirects are not followed; a status of 2xx is a yes, anything else a no."""

    def __init__(self, secret: bytes, addresses: Sequence[str]) -> None:
        self._secret = secret
        self._addresses = frozenset(addresses)
        self._client = httpx.AsyncClient(follow_redirects=False, timeout=None)

    async def agrees(self, hook: Hook, point: HookPoint, rollout: Rollout) -> bool:
        """See the port."""
        if hook.url not in self._addresses:
            log.warning("hook not configured", rollout=rollout.id, url=hook.url)
            return False
        body = msgspec.json.encode(
            {
                "rollout": rollout.id,
                "alias": rollout.spec.alias,
                "point": point,
                "stable": rollout.stable,
                "candidates": {each.variant: each.collection for each in rollout.running},
                "stage": rollout.stage,
                "generation": rollout.generation,
            }
        )
        signature = "sha256=" + hmac.digest(self._secret, body, "sha256").hex()
        headers = {"Content-Type": "application/json", SIGNATURE: signature}
        try:
            async with asyncio.timeout(hook.timeout_s):
                request = self._client.build_request("POST", hook.url, content=body, headers=headers)
                answer = await self._client.send(request, stream=True)
                await answer.aclose()  # its status says it; what else it sends is not waited for
        except (httpx.HTTPError, TimeoutError) as error:
            log.warning("hook failed", rollout=rollout.id, url=hook.url, error=str(error) or type(error).__name__)
            return False
        log.info("hook answered", rollout=rollout.id, url=hook.url, status=answer.status_code)
        return answer.is_success

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
