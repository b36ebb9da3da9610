"""The REST surface under /api/v1, with health and metrics beside it."""
