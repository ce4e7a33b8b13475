"""Arguments in, rendering out; no logic."""
