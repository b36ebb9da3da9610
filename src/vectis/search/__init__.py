"""Search: plan (pure) -> run -> assemble (pure). Knows no surface and no engine."""
