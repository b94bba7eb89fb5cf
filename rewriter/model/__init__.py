"""`Model`: one ONNX file as an onnx-graphsurgeon graph that passes edit, written back losslessly."""

from rewriter.model.constants import constant_value
from rewriter.model.model import PROVENANCE_KEY, PROVENANCE_TABLE_KEY, Model
from rewriter.model.nodelist import entries, nodes_of, op_types, position, rearrange, remove
from rewriter.model.resizes import RESIZE_OPS, ResizeNode, is_resize
from rewriter.model.scopes import Scope, display_name, in_default_domain

__all__ = [
    "PROVENANCE_KEY",
    "PROVENANCE_TABLE_KEY",
    "RESIZE_OPS",
    "Model",
    "ResizeNode",
    "Scope",
    "constant_value",
    "display_name",
    "entries",
    "in_default_domain",
    "is_resize",
    "nodes_of",
    "op_types",
    "position",
    "rearrange",
    "remove",
]
