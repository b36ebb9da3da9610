"""The text of API keys: `vts_<environment>_<public id>_<secret>_<checksum>`. Pure but for the dice that secrets throws.

The prefix is for scanners of leaked secrets, the id finds the key, the checksum refuses a typing error without a look-up.
"""

import re
import secrets
import string
from zlib import crc32

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH = 12
_SECRET_LENGTH = 43
"""Of 62 letters: 256 bits."""
_CHECKSUM_LENGTH = 6
"""Of 62 letters: more than the 32 bits of a CRC-32."""

_KEY = re.compile(
    rf"(?P<body>vts_[a-z0-9]{{1,16}}_(?P<id>[0-9A-Za-z]{{{_ID_LENGTH}}})_[0-9A-Za-z]{{{_SECRET_LENGTH}}})"
    rf"_(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)


def make_key(environment: str) -> tuple[str, str]:
    """Public id and text of a key that nobody has had before. `environment` is 1 to 16 lower-case letters and digits."""
    key_id = random_text(_ID_LENGTH)
    body = f"vts_{environment}_{key_id}_{random_text(_SECRET_LENGTH)}"
    return key_id, f"{body}_{_checksum(body)}"


def id_of_key(text: str) -> str | None:
    """The public id in the text of a key; None when it is no key or was mistyped."""
    match = _KEY.fullmatch(text)
    return match["id"] if match and _checksum(match["body"]) == match["checksum"] else None


def random_text(length: int) -> str:
    """Letters and digits that nobody can guess: 5.95 bits each."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    rest, text = crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text
