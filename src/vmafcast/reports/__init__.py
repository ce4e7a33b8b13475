"""Pictures and pages made from plain results."""
