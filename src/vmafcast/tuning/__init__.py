"""Choosing a quality value for a target."""
