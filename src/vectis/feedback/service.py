"""The use cases of feedback: an id for each answer that feedback can be about, and taking feedback for it."""

import secrets
from datetime import timedelta

from msgspec.structs import replace

from vectis.domain.access import CollectionPass, Pass, Permission
from vectis.domain.errors import InvalidInput
from vectis.domain.feedback import AnsweredQuery, Draft, FeedbackKind, Opinion, QueryIds, answered_at
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.feedback import FeedbackStore
from vectis.domain.routes import Routing

TAKEN_WITHIN = timedelta(days=1)
"""Feedback that comes later says little about the answer."""


class FeedbackService:
    """Whoever may search may say how good an answer was."""

    def __init__(self, *, directory: Directory, store: FeedbackStore, ids: QueryIds, clock: Clock) -> None:
        self._directory = directory
        self._store = store
        self._ids = ids
        self._clock = clock

    async def offer(
        self,
        by: CollectionPass,
        *,
        route_version: int,
        variant: str,
        routing: Routing,
        draft: Draft | None = None,
    ) -> str | None:
        """The id of an answer that the alias's variant, or both by `draft`, just gave; None where feedback could not tell
        variants apart.

        That is where one variant answers all, where a tester chose it, and where no routing key says whose opinion it would be.
        """
        by.require(Permission.READ_COLLECTIONS)
        if routing.variant or not routing.sticky:
            return None
        route = (await self._directory.resolve(by.collection, routing)).route
        if route is None or route.version != route_version or len(route.targets) < 2:
            return None
        return self._ids.give(
            AnsweredQuery(
                alias=route.alias,
                route_version=route_version,
                variant=variant if draft is None else route.targets[-1].variant,
                candidate_percent=round(100 - route.targets[0].weight_percent, 2),
                key=self._ids.hashed(routing.key),
                query=secrets.token_hex(8) if draft is None else draft.query,
                at=int(self._clock.now().timestamp()),
                teams=None if draft is None else self._ids.teams(draft),
            )
        )

    async def take(
        self, by: Pass, query_id: str, result_id: str, kind: FeedbackKind, value: float | None
    ) -> tuple[Opinion, bool]:
        """Match feedback with the variant that answered, or picked the result, and keep it; False when its routing key has said
        enough already.

        Raises InvalidInput for an id that this server did not give, or gave for an alias that the caller does not see, or more
        than a day ago; and for a rating without a value from 0 to 1, or a click with one.
        """
        by.require(Permission.READ_COLLECTIONS)
        answered = self._ids.read(query_id)
        now = self._clock.now()
        if not by.sees(answered.alias) or now - answered_at(answered) > TAKEN_WITHIN:
            raise InvalidInput("query_id: of an answer of the last day, given to you", field="query_id")
        if (value is None) != (kind is FeedbackKind.CLICK):
            raise InvalidInput("value: a rating needs one from 0 to 1, a click has none", field="value")
        opinion = Opinion(
            answered=answered if answered.teams is None else replace(answered, teams=b""),
            kind=kind,
            result=f"{self._ids.hashed(result_id):016x}",
            value=1.0 if value is None else value,
            at=now,
            team=self._ids.team_of(answered, result_id),
        )
        return opinion, await self._store.put_opinion(opinion)
