"""What processes share over the Redis protocol: Redis, Valkey, DragonflyDB."""
