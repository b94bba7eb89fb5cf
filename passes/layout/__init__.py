"""Passes over the order of a tensor's axes."""
