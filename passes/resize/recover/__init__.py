"""Recover a Resize from what exporters write in its place."""

from passes.resize.recover.passes import RecoverNearest, RecoverResize

__all__ = ["RecoverNearest", "RecoverResize"]
