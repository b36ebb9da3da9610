"""Which credential came with a request."""

import binascii
from base64 import b64decode

from starlette.types import Scope

BASIC_PATH = "/metrics"
"""Where a key may also come as the password of HTTP basic authentication, which is what scrapers know."""

BEARER_CHALLENGE = 'Bearer realm="vectis"'


def credential_of(scope: Scope) -> str:
    """The key or token of `Authorization: Bearer` or `X-API-Key`; empty without one."""
    key = token = ""
    for name, value in scope["headers"]:
        if name == b"authorization":
            token = _of_authorization(value, scope["path"])
        elif name == b"x-api-key":
            key = value.decode("latin-1").strip()
    return token or key


def challenge(path: str) -> str:
    """What a 401 asks for."""
    return f'{BEARER_CHALLENGE}, Basic realm="vectis"' if path == BASIC_PATH else BEARER_CHALLENGE


def _of_authorization(value: bytes, path: str) -> str:
    scheme, _, rest = value.decode("latin-1").strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic" and path == BASIC_PATH:
        try:
            return b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
