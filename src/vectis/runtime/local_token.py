"""The local token: whoever can read this file of the data folder may use the server that holds it, without a key."""

import os
from contextlib import suppress
from pathlib import Path

from vectis.access.authentication import LOCAL_MARK
from vectis.access.keys import random_text
from vectis.domain.errors import InvalidSetting

NAME = "local.token"
LENGTH = 43


def make_local_token(folder: Path, *, renew: bool = False) -> None:
    """See that there is a token in a file only this user can read; `renew` replaces it. InvalidSetting when it cannot be."""
    file = folder / NAME
    try:
        if renew:
            file.unlink(missing_ok=True)
        with (
            suppress(FileExistsError),
            os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened,
        ):
            opened.write(LOCAL_MARK + random_text(LENGTH))
    except OSError as error:
        raise InvalidSetting(f"{file} cannot be written: {error.strerror}", key="server.data_dir") from None


def read_local_token(folder: Path) -> str:
    """The token of the server that holds `folder`; empty when there is none or it is not for this user."""
    try:
        return (folder / NAME).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""
