"""Loops that are a GRU or a simple RNN, recognised by what their bodies compute."""

from passes.repair.recurrent.recover import RecoverRecurrent

__all__ = ["RecoverRecurrent"]
