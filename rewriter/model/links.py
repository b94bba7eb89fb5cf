"""Tensors that find their producers and consumers when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from onnx_graphsurgeon import Constant, Tensor, Variable
from onnx_graphsurgeon.util.misc import SynchronizedList

__all__ = ["Connect", "UnlinkedConstant", "UnlinkedVariable", "is_linked", "link"]

Connect: TypeAlias = "Callable[[Tensor], None]"
"""Fills in the two lists of a tensor that `link` has made."""
_LISTS = ("inputs", "outputs")


class _Unlinked:
    """A tensor without its lists of nodes. Asked for one of them it becomes a plain tensor that has both.

    The lists hold nodes, nodes hold tensors: without this a look at one node would make objects of all of them.
    """

    _connect: Connect

    def __getattr__(self, name: str) -> Any:
        if name not in _LISTS:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        link(self)
        return self.__dict__[name]


class UnlinkedVariable(_Unlinked, Variable):
    """A variable of the file."""

    def __init__(self, name: str, dtype: Any, shape: Any, kind: str, connect: Connect) -> None:
        self.__dict__.update(name=name, dtype=dtype, shape=shape, type=kind, _connect=connect)

    def to_constant(self, *arguments: Any, **options: Any) -> Constant:
        link(self)
        return self.to_constant(*arguments, **options)  # now that of a plain variable


class UnlinkedConstant(_Unlinked, Constant):
    """An initializer of the file."""

    def __init__(self, name: str, values: Any, connect: Connect) -> None:
        self.__dict__.update(
            name=name, _values=values, data_location=None, _export_dtype=None, _connect=connect
        )

    def to_variable(self, *arguments: Any, **options: Any) -> Variable:
        link(self)
        return self.to_variable(*arguments, **options)  # now that of a plain constant


_PLAIN = {UnlinkedVariable: Variable, UnlinkedConstant: Constant}


def is_linked(tensor: Tensor) -> bool:
    """Whether the tensor's lists of nodes are there; only then can anybody have changed who makes or reads it."""
    return not isinstance(tensor, _Unlinked)


def link(tensor: Tensor) -> None:
    """Make a tensor of the file a plain one with its lists of nodes; nothing for one that is."""
    kind = _PLAIN.get(type(tensor))
    if kind is None:
        return
    own = tensor.__dict__
    connect = own.pop("_connect")
    own["inputs"] = SynchronizedList(tensor, field_name="outputs", initial=[])
    own["outputs"] = SynchronizedList(tensor, field_name="inputs", initial=[])
    tensor.__class__ = kind
    connect(tensor)
