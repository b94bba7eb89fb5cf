"""How TensorFlow's resize ops become ONNX nodes: exact attributes, exact sizes, the op's own name.

tf2onnx calls this instead of its own handler, which writes float32 `scales` that lose a pixel for some sizes, a
wrong cubic kernel for TF1's bicubic, and a coordinate mode that opset 13 removed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from rewriter.resampling.tensorflow import TF_RESIZES, onnx_attributes
from rewriter.tensorflow.image_ops.crop import convert_crop_and_resize
from rewriter.tensorflow.image_ops.nearest import convert_nearest_by_gather, resize_picks_the_same
from rewriter.tensorflow.image_ops.separable import convert_area, convert_scale_and_translate
from rewriter.tensorflow.provenance import Provenance, marked

__all__ = ["ResizeHandler"]

_TO_NCHW, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
_FIRST_OPSET_WITH_AXES = 18


class ResizeHandler:
    """Converts resize ops and remembers where each came from.

    `handlers` is what tf2onnx takes as ``custom_op_handlers``; `found` lists the ops converted so far.
    """

    def __init__(self) -> None:
        self.found: list[Provenance] = []
        self.handlers: dict[str, tuple[Any, list[Any]]] = {
            **{op: (self._convert, []) for op in TF_RESIZES},
            "ResizeArea": (convert_area, []),
            "ScaleAndTranslate": (convert_scale_and_translate, []),
            "CropAndResize": (convert_crop_and_resize, []),
        }

    def _convert(self, graph: Any, node: Any, name: str, _: list[Any]) -> None:
        """Replace one TensorFlow op (images NHWC, size) by Transpose, Resize, Transpose."""
        from tf2onnx import utils

        record = _provenance(node)
        if node.type == "ResizeNearestNeighbor" and not _resize_is_exact(graph, node, record):
            convert_nearest_by_gather(graph, node, name, record.size)
            return
        self.found.append(record)
        shapes, dtypes = node.output_shapes, node.output_dtypes
        images = node.input[0]
        if node.type != "ResizeNearestNeighbor" and graph.get_dtype(images) != dtypes[0]:
            # The bilinear and bicubic kernels return float32 whatever comes in.
            images = graph.make_node("Cast", [images], attr={"to": dtypes[0]}).output[0]
        nchw = graph.make_node("Transpose", [images], attr={"perm": _TO_NCHW}).output[0]
        attributes = onnx_attributes(node.type, record.align_corners, record.half_pixel_centers)
        sizes, axes = self._sizes(graph, node, record, nchw)
        if axes is not None:
            attributes["axes"] = axes  # type: ignore[assignment]
        empty = graph.make_const(utils.make_name("empty"), np.array([], np.float32)).output[0]
        outputs = node.output
        graph.remove_node(name)
        # Opsets 11 and 12 demand roi and scales; empty tensors stand for absent ones in every opset.
        resize = graph.make_node(
            "Resize",
            [nchw, empty, empty, sizes],
            attr=attributes,
            name=marked(name, len(self.found) - 1),
            outputs=[utils.make_name(f"{name}/resized")],  # the op's own output name goes to the Transpose
        )
        if shapes[0] is not None and len(shapes[0]) == 4:
            graph.set_shape(resize.output[0], [shapes[0][axis] for axis in _TO_NCHW])
        graph.set_dtype(resize.output[0], dtypes[0])
        graph.make_node(
            "Transpose",
            resize.output,
            attr={"perm": _TO_NHWC},
            name=utils.make_name(f"{name}/to_nhwc"),
            outputs=outputs,
            shapes=shapes,
            dtypes=dtypes,
        )

    def _sizes(self, graph: Any, node: Any, record: Provenance, nchw: str) -> tuple[str, list[int] | None]:
        """Name of an int64 tensor with output lengths, and which axes these are of (None: all four)."""
        from tf2onnx import utils

        batch, channels = _batch_and_channels(node)
        if record.size is not None and batch > 0 and channels > 0:
            return _constant(graph, "sizes", [batch, channels, *record.size]), None
        if record.size is not None:
            spatial = _constant(graph, "sizes", list(record.size))
        else:
            spatial = graph.make_node("Cast", [node.input[1]], attr={"to": onnx.TensorProto.INT64}).output[0]
        if graph.opset >= _FIRST_OPSET_WITH_AXES:
            return spatial, [2, 3]  # batch and channels need not be known
        shape = graph.make_node("Shape", [nchw]).output[0]
        bounds = [_constant(graph, "zero", [0]), _constant(graph, "two", [2])]
        head = graph.make_node("Slice", [shape, *bounds]).output[0]
        sizes = graph.make_node(
            "Concat", [head, spatial], attr={"axis": 0}, name=utils.make_name("all_sizes")
        )
        return sizes.output[0], None


def _resize_is_exact(graph: Any, node: Any, record: Provenance) -> bool:
    """Whether a nearest Resize copies TensorFlow's own pixels, as far as the lengths are known."""
    shape = graph.get_shape(node.input[0])
    known = shape is not None and len(shape) == 4
    return resize_picks_the_same(
        node.output_dtypes[0],
        shape[1:3] if known else [-1, -1],
        [-1, -1] if record.size is None else list(record.size),
        record.align_corners,
        record.half_pixel_centers,
    )


def _batch_and_channels(node: Any) -> tuple[int, int]:
    """Lengths of the outer axes of an op's NHWC output, -1 where unknown."""
    shape = node.output_shapes[0]
    if shape is None or len(shape) != 4:
        return -1, -1
    return int(shape[0]), int(shape[3])


def _constant(graph: Any, name: str, values: list[int]) -> str:
    from tf2onnx import utils

    return str(graph.make_const(utils.make_name(name), np.array(values, np.int64)).output[0])


def _provenance(node: Any) -> Provenance:
    return Provenance(
        op=node.type,
        name=node.name,
        align_corners=_flag(node, "align_corners"),
        half_pixel_centers=_flag(node, "half_pixel_centers"),
        size=_constant_size(node),
        result=_result(node),
    )


def _result(node: Any) -> tuple[int, tuple[int | None, ...]] | None:
    shape = node.output_shapes[0]
    if shape is None or len(shape) != 4:
        return None
    return node.output_dtypes[0], tuple(None if shape[axis] < 0 else int(shape[axis]) for axis in _TO_NCHW)


def _constant_size(node: Any) -> tuple[int, int] | None:
    """Output height and width where they are written down, or follow from shapes that are known."""
    if node.inputs[1].is_const():
        height, width = node.inputs[1].get_tensor_value()
        return int(height), int(width)
    inferred = node.output_shapes[0]
    if inferred is None or len(inferred) != 4 or min(inferred[1:3]) < 1:  # unknown lengths are -1
        return None
    return int(inferred[1]), int(inferred[2])


def _flag(node: Any, name: str) -> bool:
    attribute = node.get_attr(name)
    return bool(attribute.i) if attribute is not None else False
