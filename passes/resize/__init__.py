"""Passes over Resize and Upsample nodes."""
