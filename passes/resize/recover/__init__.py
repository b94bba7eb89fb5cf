"""Recover a Resize from what exporters write in its place."""

from passes.resize.recover.recover import RecoverNearest, RecoverResize

__all__ = ["RecoverNearest", "RecoverResize"]
