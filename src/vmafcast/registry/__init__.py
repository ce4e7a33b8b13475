"""Model files, sidecars, events, promotion and rollback, every byte verified."""
