"""What a process knows of access control as a whole: whether it is on, its version, and the secrets behind keys and tokens."""

import asyncio
import hmac

from vectis.domain.errors import Conflict
from vectis.domain.ports.access import PrincipalStore, Secrets, SecretSource
from vectis.domain.principals import AccessState


class Keyring:
    """Read by `look`, off the path of requests; used from memory."""

    def __init__(self, store: PrincipalStore, source: SecretSource) -> None:
        self._store = store
        self._source = source
        self._secrets: Secrets | None = None
        self._signing: dict[str, bytes] = {}
        self.state: AccessState | None = None
        """None as long as access control is off."""

    async def look(self) -> bool:
        """Read the state and, when it has changed, the secrets; whether it has. Raises StoreUnavailable, InvalidSetting."""
        state = await self._store.access_state()
        if state == self.state:
            return False
        if state is not None:
            await self.load()
            assert self._secrets is not None
            tokens = self._secrets.tokens
            self._signing = {key.kid: hmac.digest(tokens, key.kid.encode(), "sha256") for key in state.signing_keys}
        self.state = state
        return True

    async def load(self) -> None:
        """Read the secrets. Raises InvalidSetting."""
        self._secrets = await asyncio.to_thread(self._source.read)

    def digest(self, text: str) -> bytes:
        """The keyed hash under which a credential is known; nobody without the secret can tell it in advance."""
        return hmac.digest(self._require().pepper, text.encode(), "sha256")

    def sign(self, text: str) -> str:
        """A mark that only this server can put on a text."""
        return hmac.digest(self._require().tokens, text.encode(), "sha256").hex()

    @property
    def signing(self) -> dict[str, bytes]:
        """Signing keys of access tokens by name, the one to sign with first."""
        return self._signing

    def _require(self) -> Secrets:
        if self._secrets is None:
            raise Conflict("access control is off: `vectis init` turns it on and makes the admin")
        return self._secrets
