"""Planning a sweep over sources and encoders, running it, storing it."""
