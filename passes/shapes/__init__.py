"""Passes over the small tensors that say how large other tensors are."""
