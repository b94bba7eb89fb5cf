"""Translations between protobuf values and what passes see: tensors, types, shapes, attributes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, SparseTensorProto, TensorProto, TypeProto, ValueInfoProto, numpy_helper
from onnx_graphsurgeon import Constant, Graph, Node, Tensor, Variable
from onnx_graphsurgeon.ir.tensor import LazyValues, SparseValues
from onnx_graphsurgeon.util.misc import convert_from_onnx_attr_type, convert_to_onnx_attr_type

from rewriter.model.source import Source
from rewriter.model.storage import Storage
from rewriter.model.walking import attribute_tensors

__all__ = [
    "OpaqueAttribute",
    "StoredValues",
    "attribute_proto",
    "constant_from_proto",
    "describe_type",
    "dtype_of",
    "plain_attribute",
    "stored_values",
    "tensor_proto",
    "value_info",
]

_SIMPLE = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
}
_TYPE_KINDS = (
    "tensor_type",
    "sequence_type",
    "map_type",
    "optional_type",
    "sparse_tensor_type",
    "opaque_type",
)


class OpaqueAttribute:
    """An attribute that onnx-graphsurgeon has no value for (types, sparse tensors, lists of graphs); kept."""

    def __init__(self, proto: AttributeProto) -> None:
        self.proto = proto


class StoredSparseValues(SparseValues):
    """The values of a sparse tensor of the model, read when first asked for."""

    def __init__(self, tensor: SparseTensorProto, storage: Storage) -> None:
        self.tensor = tensor
        self.storage = storage
        self.shape = list(tensor.dims)

    def load(self) -> np.ndarray:
        whole = SparseTensorProto(
            values=self.storage.source.complete(self.tensor.values),
            indices=self.storage.source.complete(self.tensor.indices),
            dims=self.tensor.dims,
        )
        return np.asarray(SparseValues.load(StoredSparseValues(whole, self.storage)))

    @property
    def dtype(self) -> Any:
        return dtype_of(self.tensor.values.data_type)


class StoredValues(LazyValues):
    """The values of a tensor of the model, read when first asked for.

    Unlike onnx-graphsurgeon's own class it finds data that was left in the model's file, and external data beside
    that file whatever the current directory is, and knows every element type that onnx knows.
    """

    def __init__(self, tensor: TensorProto, storage: Storage) -> None:
        self.tensor = tensor
        self.storage = storage
        self.shape = list(tensor.dims)

    @property
    def dtype(self) -> Any:
        return dtype_of(self.tensor.data_type)

    @property
    def nbytes(self) -> int:
        """Size in memory; 0 for element types without a fixed size."""
        return int(np.prod(self.shape, dtype=np.int64)) * getattr(self.dtype, "itemsize", 0)

    def load(self) -> np.ndarray:
        return self.storage.array(self.tensor)

    @cached_property
    def small(self) -> np.ndarray:
        """The values of a small tensor, read once and not to be changed."""
        values = self.load()
        values.flags.writeable = False
        return values


def dtype_of(code: int) -> Any:
    """The numpy dtype of an ONNX element type; the number itself where numpy has none."""
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(code))
    except (KeyError, TypeError):
        return code


def stored_values(proto: TensorProto | SparseTensorProto, storage: Storage) -> LazyValues:
    """The values of a tensor, which stay where they are until they are read."""
    if isinstance(proto, SparseTensorProto):
        return StoredSparseValues(proto, storage)
    return StoredValues(proto, storage)


def constant_from_proto(proto: TensorProto, storage: Storage) -> Constant:
    """A graphsurgeon constant with the values of a tensor, which stay where they are until they are read."""
    return Constant(proto.name, StoredValues(proto, storage))


def describe_type(proto: TypeProto) -> tuple[Any, tuple[int | str | None, ...] | None, str]:
    """dtype, shape and kind of a type as graphsurgeon's variables hold them; (None, None, …) where unset."""
    kind = proto.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        tensor = getattr(proto, kind)
        dtype = dtype_of(tensor.elem_type) if tensor.elem_type else None
        if not tensor.HasField("shape"):
            return dtype, None, kind
        return dtype, tuple(_dimension(dim) for dim in tensor.shape.dim), kind
    return None, None, kind if kind in _TYPE_KINDS else "tensor_type"


def _dimension(dim: Any) -> int | str | None:
    kind = dim.WhichOneof("value")
    if kind == "dim_value":
        return int(dim.dim_value)
    return str(dim.dim_param) if kind == "dim_param" and dim.dim_param else None


def plain_attribute(proto: AttributeProto) -> Any:
    """A scalar, string or list attribute as a Python value, a reference or opaque value for the rest.

    Tensors and graphs need a scope and are the importer's business. Strings that are not UTF-8 stay bytes.
    """
    if proto.ref_attr_name:
        return Node.AttributeRef(proto.ref_attr_name, convert_from_onnx_attr_type(proto.type))
    if proto.type not in _SIMPLE:
        return OpaqueAttribute(proto)
    value = getattr(proto, _SIMPLE[proto.type])
    if proto.type == AttributeProto.STRING:
        return _text(value)
    if proto.type == AttributeProto.STRINGS:
        return [_text(entry) for entry in value]
    return list(value) if proto.type in (AttributeProto.FLOATS, AttributeProto.INTS) else value


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def attribute_proto(
    name: str, value: Any, source: Source, original: AttributeProto | None = None
) -> AttributeProto:
    """An attribute from a value that a pass set; doc string and type of `original` are kept.

    Args:
        name: of the attribute.
        value: a Python value, a constant, or one of the classes above.
        source: where the data of tensors is that nobody changed.
        original: the attribute that it replaces.

    Raises:
        TypeError: graphs (the writer's business) and values that no attribute can hold.
    """
    if isinstance(value, OpaqueAttribute):
        made = AttributeProto()
        made.CopyFrom(value.proto)
        made.name = name
        for tensor in attribute_tensors(made):
            tensor.CopyFrom(source.complete(tensor))
    elif isinstance(value, Node.AttributeRef):
        made = AttributeProto(name=name, ref_attr_name=value.name, type=convert_to_onnx_attr_type(value.type))
    elif isinstance(value, Constant):
        made = onnx.helper.make_attribute(name, tensor_proto(value, source))
    elif isinstance(value, (Tensor, Graph)):
        raise TypeError(f"attribute '{name}' cannot be written from {type(value).__name__}")
    else:
        kind = original.type if original is not None and original.type in _SIMPLE else None
        made = onnx.helper.make_attribute(name, value, attr_type=kind)
    if original is not None and original.doc_string:
        made.doc_string = original.doc_string
    return made


def tensor_proto(constant: Constant, source: Source, original: TensorProto | None = None) -> TensorProto:
    """A tensor from a constant; doc string and metadata of `original` are kept, data comes from `source`."""
    values = constant._values
    if isinstance(values, LazyValues) and not isinstance(values, SparseValues):
        made = TensorProto()
        made.CopyFrom(source.complete(values.tensor))
    else:
        made = numpy_helper.from_array(np.ascontiguousarray(constant.values).reshape(constant.values.shape))
    made.name = constant.name
    if original is not None:
        if original.doc_string:
            made.doc_string = original.doc_string
        if not made.metadata_props:
            made.metadata_props.extend(original.metadata_props)
    return made


def value_info(variable: Tensor, original: ValueInfoProto | None = None) -> ValueInfoProto:
    """A declaration from a variable; everything that a variable cannot hold is kept from `original`."""
    made = ValueInfoProto()
    if original is not None:
        made.CopyFrom(original)
    made.name = variable.name
    if isinstance(variable, Constant):
        variable = Variable(variable.name, variable.dtype, list(variable.shape))
    current = describe_type(made.type)
    shape = None if variable.shape is None else tuple(variable.shape)
    # onnx-graphsurgeon forgets to give a constant that becomes a variable its kind.
    kind = getattr(variable, "type", "tensor_type")
    if (variable.dtype, shape) == current[:2] or kind != "tensor_type" or variable.dtype is None:
        return made
    code = variable.dtype
    if not isinstance(code, int):
        code = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(code))
    made.type.tensor_type.elem_type = code
    if shape != current[1]:
        made.type.tensor_type.ClearField("shape")
        if shape is not None:
            fresh = onnx.helper.make_tensor_type_proto(code, list(shape))
            made.type.tensor_type.shape.CopyFrom(fresh.tensor_type.shape)
    return made
