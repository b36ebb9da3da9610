"""Feedback about answers."""

from vectis.entrypoints.rest.feedback_answers import FeedbackTaken
from vectis.entrypoints.rest.operation import Call


async def give(call: Call) -> FeedbackTaken:
    """Keep what a user made known about a result."""
    body = call.body
    answered, kept = await call.services.feedback.take(
        call.may_all(), body.query_id, str(body.result_id), body.kind, body.value
    )
    return FeedbackTaken(alias=call.caller.own_name(answered.alias), variant=answered.variant, kept=kept)
