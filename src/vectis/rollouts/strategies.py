"""The four strategies as specs of one machine: what each says about stages, promotion and time unless told otherwise."""

from msgspec.structs import replace

from vectis.domain.rollouts import ChangeKind, RolloutSpec, Stage, Strategy

MINUTE_S = 60.0

CANARY_STAGES = (
    Stage(weight_percent=5, duration_s=30 * MINUTE_S, excess_errors=0.05),
    Stage(weight_percent=25, duration_s=60 * MINUTE_S, excess_errors=0.02),
    Stage(weight_percent=50, duration_s=120 * MINUTE_S, excess_errors=0.01),
    Stage(weight_percent=100, duration_s=0, excess_errors=0.01),
)
MIRRORED_PERCENT = 10.0
"""What is mirrored beside shares of the traffic where quality shows only when one query is asked of both."""

SHADOW_STAGES = (Stage(weight_percent=0, mirror_percent=10, duration_s=30 * MINUTE_S),)
EXPERIMENT_STAGES = (Stage(weight_percent=50, duration_s=24 * 60 * MINUTE_S, duration_max_s=14 * 24 * 60 * MINUTE_S),)

STAGES: dict[Strategy, tuple[Stage, ...]] = {
    Strategy.BLUE_GREEN: (),
    Strategy.CANARY: CANARY_STAGES,
    Strategy.SHADOW: SHADOW_STAGES,
    Strategy.EXPERIMENT: EXPERIMENT_STAGES,
}
"""A blue-green rollout is validated before and watched after the switch, and has no stage between."""


def default_spec(
    alias: str, strategy: Strategy, change: ChangeKind, *, weight_percent: float | None = None
) -> RolloutSpec:
    """The spec of this strategy with nothing else said. Shadows and experiments end with what they found and promote nothing.

    `weight_percent` is what all variants of an experiment get together.
    """
    promotes = strategy in (Strategy.BLUE_GREEN, Strategy.CANARY)
    stages = STAGES[strategy]
    if strategy is Strategy.EXPERIMENT and weight_percent is not None:
        stages = tuple(replace(stage, weight_percent=weight_percent) for stage in stages)
    if change in (ChangeKind.INDEX_CONFIG, ChangeKind.REFRESH):
        stages = tuple(
            replace(stage, mirror_percent=stage.mirror_percent or MIRRORED_PERCENT) if stage.is_judged else stage
            for stage in stages
        )
    return RolloutSpec(alias, strategy, change, stages, promotes=promotes)
