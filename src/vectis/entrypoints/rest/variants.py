"""Which variant of an alias answers a request, as headers: what a request asks for, and what an answer says."""

from starlette.types import Scope

from vectis.domain.access import Caller
from vectis.domain.errors import InvalidInput
from vectis.domain.routes import Routing
from vectis.search.requests import Answer

KEY_BYTES_MAX = 256

ROUTING = {
    "X-Routing-Key": "Requests with the same key are answered by the same variant of an alias while its shares stand",
    "X-Vectis-Variant": "The variant that shall answer; needs write_collections, and is not measured",
}
"""The headers of requests, and what they say."""

ALIAS, ALIAS_VERSION, VARIANT, COLLECTION = (
    "x-vectis-alias",
    "x-vectis-alias-version",
    "x-vectis-variant",
    "x-vectis-collection",
)
ANSWERED_BY = (ALIAS, ALIAS_VERSION, VARIANT, COLLECTION)
"""The headers of an answer that say who gave it."""

QUERY_ID = "x-vectis-query-id"
"""The header of an answer with the id that feedback to it gives back."""


def routing_of(scope: Scope) -> Routing:
    """What a request says about who shall answer it. InvalidInput for a key that is too long."""
    key = variant = ""
    for name, value in scope["headers"]:
        if name == b"x-routing-key":
            if len(value) > KEY_BYTES_MAX:
                raise InvalidInput(f"X-Routing-Key: more than {KEY_BYTES_MAX} bytes", field="X-Routing-Key")
            key = value.decode("utf-8", "replace")
        elif name == b"x-vectis-variant":
            variant = value.decode("latin-1")
    if key:
        return Routing(key, sticky=True, variant=variant)
    return Routing(scope["vectis.request_id"], variant=variant)


def collections_of(caller: Caller, answer: Answer) -> str:
    """The collection that answered, as `caller` calls it; of an answer that was mixed both, with a comma between."""
    names = (answer.collection,) if answer.draft is None else answer.draft.collections
    return ", ".join(caller.own_name(name) for name in names)


def answered_by(caller: Caller, name: str, answer: Answer) -> dict[str, str]:
    """Who answered, in the names that `caller` uses; only the collection where `name` is no alias."""
    collection = collections_of(caller, answer)
    if not answer.route_version:
        return {COLLECTION: collection}
    return dict(zip(ANSWERED_BY, (name, str(answer.route_version), answer.variant, collection), strict=True))
