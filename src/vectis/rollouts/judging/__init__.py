"""Is the candidate worse than the stable variant, fine, or not yet known? Pure; only here rollouts use numpy and scipy."""
