"""What rollouts need of search, evaluation and the outside."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from itertools import pairwise

import structlog

from vectis.access.audit import AuditTrail
from vectis.adapters.prometheus.rollout_standings import RolloutStanding, RolloutStandings
from vectis.adapters.secrets.private_file import kept_secret
from vectis.adapters.sql.store import SqlStore
from vectis.adapters.webhooks.caller import SignedHooks
from vectis.domain.access import SYSTEM, Permission, authorize_on
from vectis.domain.audit import Act
from vectis.domain.errors import EmbedderUnavailable, Unavailable
from vectis.domain.ports.access import PrincipalStore
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.engine import Engine
from vectis.domain.ports.rollouts import RolloutStore
from vectis.evaluation.measures import per_query
from vectis.rollouts.judged_queries import JudgedQueries
from vectis.rollouts.looks import StageJudge
from vectis.rollouts.observing import EvidenceReader
from vectis.rollouts.pictures import judged_last
from vectis.rollouts.surroundings import AskCollection
from vectis.rollouts.validation import Validator
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import RolloutSettings
from vectis.search.requests import TextSearch
from vectis.search.service import SearchService

LIMIT = 10

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("vectis.rollouts")


def collection_asker(search: SearchService) -> AskCollection:
    """Asks a collection as its callers would: the ids of the first ten documents. EmbedderUnavailable for half an answer."""

    async def ask(collection: str, query: str) -> list[str]:
        by = authorize_on(SYSTEM, Permission.READ_COLLECTIONS, collection)
        answer = await search.search_text(by, TextSearch(query, limit=LIMIT, with_payload=False))
        if answer.degraded:
            raise EmbedderUnavailable(
                f"what is found without {', '.join(answer.degraded)} says nothing of a candidate: "
                f"{'; '.join(answer.degraded.values())}"
            )
        return [str(hit.id) for hit in answer.hits]

    return ask


def measured(
    grades: Mapping[str, Mapping[str, int]], answers: Mapping[str, Sequence[str]]
) -> Mapping[str, Mapping[str, float]]:
    """See vectis.rollouts.surroundings.MeasureAnswers."""
    ranked = {query: [(id, float(-rank)) for rank, id in enumerate(ids)] for query, ids in answers.items()}
    return per_query(grades, ranked)


class RolloutAudit:
    """vectis.rollouts.witness.ActKeeper."""

    def __init__(self, trail: AuditTrail, principals: PrincipalStore) -> None:
        self._trail = trail
        self._principals = principals

    async def check(self) -> None:
        """See the port."""
        if await self._principals.access_state() is not None and not await self._trail.fits():
            raise Unavailable(
                "audit.key is not the one that the audit is sealed with: give this worker that of the servers"
            )

    async def keep(self, act: Act) -> None:
        """See the port."""
        if await self._principals.access_state() is not None:
            await self._trail.record(act)


def make_judging(store: SqlStore, points: Engine, search: SearchService, clock: Clock) -> tuple[Validator, StageJudge]:
    """What judges candidates before their first traffic, and while they have some."""
    ask = collection_asker(search)
    judged = JudgedQueries(ask, measured)
    evidence = EvidenceReader(traffic=store, feedback=store, judged=judged, points=points, clock=clock)
    return Validator(store=store, points=points, ask=ask, judged=judged), StageJudge(store=store, evidence=evidence)


def noted(rollout: str, said: str) -> None:
    """See vectis.rollouts.surroundings.Note."""
    log.info("rollout", rollout=rollout, said=said)


async def rollout_standings(store: RolloutStore, now: datetime) -> RolloutStandings:
    """Where rollouts stand, for the metrics page. Raises StoreUnavailable."""
    standings: list[RolloutStanding] = []
    newest = {rollout.spec.alias: rollout for rollout in await store.unfinished_rollouts()}
    for rollout in newest.values():
        transitions = await store.transitions(rollout.id)
        since = rollout.created_at
        for earlier, later in pairwise(transitions):
            since = later.at if later.phase is not earlier.phase else since
        place = (rollout.step, rollout.stage)
        judgements = judged_last(place, transitions, await store.judgements(rollout.id))
        standings.append(RolloutStanding(rollout, since, judgements))
    return RolloutStandings(standings, await store.switches(), now)


async def open_hooks(stack: AsyncExitStack, settings: RolloutSettings, paths: FolderLayout) -> SignedHooks:
    """The caller of webhooks, closed with `stack`."""
    secret = settings.hook_secret.reveal().encode() or await asyncio.to_thread(
        kept_secret, paths.hook_secret, setting="rollouts.hook_secret"
    )
    hooks = SignedHooks(secret, settings.addresses())
    stack.push_async_callback(hooks.close)
    return hooks
