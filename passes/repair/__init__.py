"""Repairs of what exporters are known to write wrongly."""
