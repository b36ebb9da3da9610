"""Changing what an alias serves: judging a candidate against the stable variant."""
