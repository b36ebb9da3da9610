"""Floor 2: puts the parts together and keeps them running. No rules of its own, no HTTP."""
