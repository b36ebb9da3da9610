"""Feedback about answers."""

from vectis.domain.routes import INTERLEAVED
from vectis.entrypoints.rest.feedback_answers import FeedbackTaken
from vectis.entrypoints.rest.operation import Call


async def give(call: Call) -> FeedbackTaken:
    """Keep what a user made known about a result."""
    body = call.body
    opinion, kept = await call.services.feedback.take(
        call.may_all(), body.query_id, str(body.result_id), body.kind, body.value
    )
    answered = opinion.answered
    variant = answered.variant if answered.teams is None else opinion.team or INTERLEAVED
    return FeedbackTaken(alias=call.caller.own_name(answered.alias), variant=variant, kept=kept)
