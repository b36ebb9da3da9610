"""The secret of the data folder, in a file with mode 0600, unless the settings say one."""

import hmac
from pathlib import Path

from vectis.adapters.secrets.private_file import kept_secret, renew_secret
from vectis.domain.errors import InvalidSetting
from vectis.domain.ports.access import Secrets

SETTING = "access.key_secret"


class FolderSecrets:
    """vectis.domain.ports.access.SecretSource. Settings weigh more than the file; an empty one says nothing."""

    def __init__(self, file: Path, *, key_secret: str = "", token_secret: str = "") -> None:
        self._file = file
        self._key_secret = key_secret
        self._token_secret = token_secret

    def read(self) -> Secrets:
        """See the port."""
        pepper = self._key_secret.encode() if self._key_secret else self._read_file()
        tokens = self._token_secret.encode() if self._token_secret else pepper
        return Secrets(pepper=pepper, tokens=hmac.digest(tokens, b"vectis access tokens", "sha256"))

    def make(self) -> None:
        """See the port."""
        if not self._key_secret:
            kept_secret(self._file, setting=SETTING)

    def renew(self) -> bool:
        """See the port."""
        if self._key_secret:
            return False
        renew_secret(self._file, setting=SETTING)
        return True

    def _read_file(self) -> bytes:
        try:
            return self._file.read_bytes()
        except OSError as error:
            raise InvalidSetting(
                f"the secret of the API keys, {self._file}, cannot be read ({error.strerror}); put it back, set "
                "API_KEY_SECRET as it was, or make all keys anew with `vectis keys rotate --all`",
                key=SETTING,
            ) from None
