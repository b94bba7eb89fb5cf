"""One ONNX file: an onnx-graphsurgeon graph to edit, and a lossless way back to bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, TypeProto
from onnx_graphsurgeon import Constant, Graph, Node, Tensor

from rewriter.errors import InputError
from rewriter.model.external import check_external_data
from rewriter.model.loading import check_sane, parse, read
from rewriter.model.nodelist import entries
from rewriter.model.resize_attributes import check_attributes
from rewriter.model.resizes import RESIZE_OPS, ResizeNode
from rewriter.model.saving import save
from rewriter.model.scopes import Scope, display_name, scopes
from rewriter.model.shapes import Inferred, InferredTypes, Shape
from rewriter.model.source import Source
from rewriter.model.spans import Span
from rewriter.model.storage import Storage, is_external
from rewriter.model.view import View, build_view
from rewriter.model.walking import model_tensors
from rewriter.model.wire import Rope, WireError
from rewriter.model.writeback import write_back
from rewriter.model.writing import to_bytes

__all__ = ["Model", "PROVENANCE_KEY", "PROVENANCE_TABLE_KEY"]

PROVENANCE_KEY = "rewriter.source"
PROVENANCE_TABLE_KEY = "rewriter.sources"
_LAID_OUT_AS_RAW = (
    TensorProto.RAW_DATA_FIELD_NUMBER,
    TensorProto.FLOAT_DATA_FIELD_NUMBER,
    TensorProto.DOUBLE_DATA_FIELD_NUMBER,
)
"""Fields whose bytes are those of the array; the others hold one number after another, each as long as it needs."""


class Model:
    """One ONNX model.

    `graph` is an onnx-graphsurgeon view of it; edits to that view are edits to the model. What was not edited comes
    back byte for byte: documentation, metadata, denotations, sparse and string tensors, unknown fields. External
    data is not opened, and large tensors stay in the file until somebody asks for their values: the file must not
    change while the model is in use.
    """

    def __init__(self, proto: ModelProto, source: Source | None, path: Path | None) -> None:
        self._proto = proto
        self._source = source
        self.path = path

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read a file.

        Raises:
            InputError: missing, a directory, empty, truncated, not ONNX, or with data in files that it may not name.
        """
        path = Path(path)
        source = read(path)
        model = cls(parse(source.data, path), source, path)
        # Most models have none, and a walk through all tensors of a large one takes a while.
        if b"location" in source.data:
            check_external_data(model._external_tensors(), path.parent, path)
        return model

    @classmethod
    def from_proto(cls, proto: ModelProto, path: str | Path | None = None, *, copy: bool = True) -> Model:
        """Take a model from memory.

        Args:
            proto: the model.
            path: the file it came from, if any: external data is found beside it.
            copy: so that later changes to `proto` do not show; without it nobody may make any.

        Raises:
            InputError: no graph, or no operator sets.
        """
        own = proto
        if copy:
            own = ModelProto()
            own.CopyFrom(proto)
        where = None if path is None else Path(path)
        check_sane(own, where)
        return cls(own, None, where)

    @classmethod
    def from_bytes(cls, data: bytes, path: str | Path | None = None) -> Model:
        """Take a model as a file holds it.

        Args:
            data: the content.
            path: the file it came from, if any: external data is found beside it.

        Raises:
            InputError: truncated, or not ONNX.
        """
        where = None if path is None else Path(path)
        return cls(parse(data, where), Source(data), where)

    @property
    def original(self) -> ModelProto:
        """The model as it was read, large tensors as references into its file; not to be changed."""
        return self._proto

    def fresh(self) -> Model:
        """The model as it was read, without any edit."""
        return Model(self._proto, self.source, self.path)

    @cached_property
    def source(self) -> Source:
        """The bytes of the model as it was read."""
        return Source(self._proto.SerializeToString()) if self._source is None else self._source

    @cached_property
    def view(self) -> View:
        """The objects that passes edit, and where each came from."""
        try:
            return build_view(self._proto, Storage(self.source, self.directory))
        except (UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"the model is damaged: {error}", file=self.path) from error

    @property
    def directory(self) -> Path | None:
        """Where the model's external data lies; None for a model that came from memory."""
        return None if self.path is None else self.path.parent

    @property
    def reference_directory(self) -> Path | None:
        """Where the data lies that `to_reference_proto` refers to."""
        file = self.source.file
        return self.directory if file is None else file.real_path.parent

    def array(self, tensor: TensorProto) -> np.ndarray:
        """The values of a tensor of `original` or `to_reference_proto`, wherever they are.

        Raises:
            ValueError: the data does not fit the shape, or lies in a file and the model has no directory.
            ValidationError: external data that onnx refuses to open.
        """
        return Storage(self.source, self.directory).array(tensor)

    @property
    def graph(self) -> Graph:
        """The main graph; model-local functions are under `graph.functions`."""
        return self.view.graph

    @property
    def graph_size(self) -> int:
        """Number of nodes of the main graph as it was read."""
        return len(self._proto.graph.node)

    @property
    def opset(self) -> int:
        """Version of the default domain that the main graph imports; setting it only sets the number."""
        return int(self.graph.opset)

    @opset.setter
    def opset(self, version: int) -> None:
        self.graph.opset = version

    def scopes(self) -> Iterator[Scope]:
        """The main graph, every subgraph and every function, outer ones first."""
        return scopes(self.view)

    def names(self) -> set[str]:
        """Every name of a tensor or node, in any scope."""
        found: set[str] = set()
        for scope in self.scopes():
            graph = scope.graph
            binding = self.view.bindings.graphs.get(id(graph))
            if binding is not None:
                index = binding.file_index
                found.update(index.makers, index.readers, binding.types, binding.tensors, binding.input_names)
                found.update(node.name for node in binding.proto.node)
            found.update(tensor.name for tensor in (*graph.inputs, *graph.outputs))
            for node in entries(graph):
                if not isinstance(node, int):
                    found.add(node.name)
                    found.update(tensor.name for tensor in (*node.inputs, *node.outputs))
        return found

    def metadata(self, node: Node) -> dict[str, str]:
        """The node's metadata as the file has it; empty for a node that a pass made."""
        binding = self.view.bindings.nodes.get(id(node))
        return {} if binding is None else {entry.key: entry.value for entry in binding.proto.metadata_props}

    def provenance(self, node: Node) -> dict[str, Any] | None:
        """The TensorFlow op that `node` was converted from, None where nothing is recorded."""
        binding = self.view.bindings.nodes.get(id(node))
        metadata = () if binding is None else binding.proto.metadata_props
        text = next((entry.value for entry in metadata if entry.key == PROVENANCE_KEY), None)
        if text is None:
            recorded = self._provenance_table.get(node.name) if node.name else None
            return recorded if isinstance(recorded, dict) else None
        return _json_object(text, self.path, node.name)

    @cached_property
    def _provenance_table(self) -> dict[str, Any]:
        entries = {entry.key: entry.value for entry in self._proto.metadata_props}
        text = entries.get(PROVENANCE_TABLE_KEY)
        return {} if text is None else _json_object(text, self.path, None)

    def resizes(self) -> list[ResizeNode]:
        """Every Resize and Upsample, in every scope, in file order."""
        return [self.resize(node, scope) for scope in self.scopes() for node in scope.nodes_of(*RESIZE_OPS)]

    def resize(self, node: Node, scope: Scope) -> ResizeNode:
        """One resize node with its shapes and provenance.

        Raises:
            InputError: one of its attributes has a type that no runtime accepts.
        """
        check_attributes(node, display_name(node))
        output = node.outputs[0] if node.outputs else None
        return ResizeNode(
            node=node,
            scope=scope,
            input_shape=self.shape(node.inputs[0], scope) if node.inputs else None,
            declared_output_shape=None if output is None else declared_shape(output),
            output_shape=None if output is None else self.shape(output, scope),
            provenance=self.provenance(node),
        )

    def shape(self, tensor: Tensor, scope: Scope) -> Shape | None:
        """Shape of a tensor as seen from `scope`.

        The declared shape where the file gives it in full, else what can be inferred, else None.
        """
        declared = declared_shape(tensor)
        if declared is not None and all(isinstance(length, int) for length in declared):
            return declared
        inferred = self._inferred_of(tensor, scope)[1]
        return declared if inferred is None else inferred

    def dtype(self, tensor: Tensor, scope: Scope) -> Any:
        """Element type of a tensor as seen from `scope` (a numpy dtype), None where unknown."""
        return self._inferred_of(tensor, scope)[0] if tensor.dtype is None else tensor.dtype

    def _inferred_of(self, tensor: Tensor, scope: Scope) -> Inferred:
        around: Scope | None = scope
        while around is not None:
            binding = self.view.bindings.graphs.get(id(around.graph))
            known = None if binding is None else self._inferred.of(tensor.name, binding)
            if known is not None:
                return known
            around = around.parent
        return None, None

    def infer_again(self) -> None:
        """Infer types and shapes from the model as it is now; `shape` and `dtype` know what this adds."""
        if self.is_edited:
            self._inferred.learn(self.to_reference_proto(), self.scopes())

    @cached_property
    def _inferred(self) -> InferredTypes:
        return InferredTypes(self._proto, self.view)

    @property
    def graph_before(self) -> GraphProto:
        """The message of the main graph as it was read. Not to be edited."""
        return self._proto.graph

    @property
    def opsets_before(self) -> dict[str, int]:
        """Version of each domain that the model imported when it was read."""
        return {entry.domain: entry.version for entry in self._proto.opset_import}

    def types_before(self) -> Mapping[str, TypeProto] | None:
        """By name, the type of every value of the main graph as it was read.

        None where nobody asked for shapes yet, or where strict shape inference did not accept the model.
        """
        if "_inferred" not in self.__dict__ or not self._inferred.sound:
            return None
        return self._inferred.types(self.view.bindings.graphs[id(self.view.graph)])

    def _edited(self, *, with_references: bool = False) -> Rope | None:
        """The edited model; None when nothing was edited. The references that the parser saw become data again."""
        if "view" not in self.__dict__:
            return None
        source = Source(self.source.data) if with_references else self.source
        try:
            return write_back(self.view, self._proto, source)
        except WireError:
            # Legal, but written by no known producer: messages in several pieces. Join them first.
            self._join()
            return write_back(self.view, self._proto, self.source)

    def _join(self) -> None:
        whole = ModelProto()
        whole.CopyFrom(self._proto)
        for tensor in model_tensors(whole):
            tensor.CopyFrom(self.source.complete(tensor))
        self.__dict__["source"] = Source(whole.SerializeToString())

    @property
    def is_edited(self) -> bool:
        """Whether anything differs from what was read."""
        return self._edited() is not None

    def to_bytes(self) -> bytes:
        """The model as a file's content; the bytes that were read when nothing was edited."""
        rope, source = self._whole()
        return to_bytes(rope, source)

    def _whole(self) -> tuple[Rope, Source]:
        """The model as it is now, and what the spans of it are of."""
        rope = self._edited()
        if rope is None:
            source = self.source if self._source is None else self._source
            return Rope([Span(0, source.size)], source.size), source
        return rope, self.source

    def to_proto(self) -> ModelProto:
        """The model as a message, with all edits and all data."""
        return ModelProto.FromString(self.to_bytes())

    def to_reference_proto(self) -> ModelProto:
        """The model as a message with all edits, in which large tensors are references into the model's file.

        Together with `reference_directory` it is all that onnx and onnxruntime need, and takes no room for the
        weights: onnxruntime maps them from the file.
        """
        rope = self._edited(with_references=True)
        if rope is None:
            proto = ModelProto()
            proto.CopyFrom(self._proto)
        else:
            proto = ModelProto.FromString(to_bytes(rope, Source(self.source.data)))
        for tensor in model_tensors(proto):
            hole = self.source.hole(tensor)
            if hole is not None and hole.number not in _LAID_OUT_AS_RAW:
                tensor.CopyFrom(self.source.complete(tensor))
        return proto

    @property
    def refers_to_data(self) -> bool:
        """Whether the data of some tensors lies in files, the model's own or others."""
        return bool(self.source.holes) or bool(self.external_locations)

    @cached_property
    def external_locations(self) -> list[str]:
        """Data files that the model refers to, relative to its directory."""
        found: dict[str, None] = {}
        for tensor in self._external_tensors():
            found.update((entry.value, None) for entry in tensor.external_data if entry.key == "location")
        return list(found)

    def _external_tensors(self) -> Iterator[TensorProto]:
        for tensor in model_tensors(self._proto):
            if is_external(tensor) and self.source.hole(tensor) is None:
                yield tensor

    def save(self, path: str | Path, *, check: Callable[[Path], None] | None = None) -> None:
        """Write the model atomically; external data stays where it is, or is copied beside `path`.

        Args:
            path: the target.
            check: called with the finished temporary file; what it raises cancels the save.

        Raises:
            InputError: the target cannot be written, or external data cannot be carried along.
        """
        rope, source = self._whole()
        save(Path(path), rope, source, self.external_locations, self.directory, check)


def declared_shape(tensor: Tensor) -> Shape | None:
    """What the file (or the pass that made the tensor) says about the shape."""
    shape = tensor.shape
    if shape is None:
        return None
    return tuple(int(n) for n in shape) if isinstance(tensor, Constant) else tuple(shape)


def _json_object(text: str, path: Path | None, node: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InputError("the recorded provenance is not a JSON object", file=path, node=node)
    return value
