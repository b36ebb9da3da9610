"""Password hashes by argon2."""
