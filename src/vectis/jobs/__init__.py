"""Background work as callers see it. Running it is the workers'."""
