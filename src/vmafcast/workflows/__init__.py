"""The line from video to decision: what ties the rooms together for one command."""
