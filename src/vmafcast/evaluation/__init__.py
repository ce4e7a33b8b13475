"""Folds by source group, scores, gates and verdicts."""
