"""Changing what an alias serves: what a rollout does next, and judging its candidate against the stable variant."""
