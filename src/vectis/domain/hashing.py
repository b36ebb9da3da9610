"""Fingerprints by which two things of the domain are told apart."""

from hashlib import blake2b

import msgspec

from vectis.domain.documents import Document


def content_hash(document: Document) -> str:
    """32 hexadecimal digits (BLAKE2b-128) over everything that was sent; the order of payload keys does not matter."""
    return blake2b(msgspec.json.encode(document, order="deterministic"), digest_size=16).hexdigest()
