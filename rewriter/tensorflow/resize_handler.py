"""How TensorFlow's resize ops become ONNX nodes: exact attributes, exact sizes, the op's own name.

tf2onnx calls this instead of its own handler, which writes float32 `scales` that lose a pixel for some sizes, a
wrong cubic kernel for TF1's bicubic, and a coordinate mode that opset 13 removed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.resampling.tensorflow import TF_RESIZES, onnx_attributes
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
        self.handlers: dict[str, tuple[Any, list[Any]]] = {op: (self._convert, []) for op in TF_RESIZES}

    def _convert(self, graph: Any, node: Any, name: str, _: list[Any]) -> None:
        """Replace one TensorFlow op (images NHWC, size) by Transpose, Resize, Transpose."""
        from tf2onnx import utils

        record = _provenance(node)
        self.found.append(record)
        shapes, dtypes = node.output_shapes, node.output_dtypes
        images = node.input[0]
        if node.type != "ResizeNearestNeighbor" and graph.get_dtype(images) != dtypes[0]:
            # The bilinear and bicubic kernels return float32 whatever comes in.
            images = graph.make_node("Cast", [images], attr={"to": dtypes[0]}).output[0]
        nchw = graph.make_node("Transpose", [images], attr={"perm": _TO_NCHW}).output[0]
        spatial = self._sizes(graph, node, record)
        attributes = onnx_attributes(node.type, record.align_corners, record.half_pixel_centers)
        if graph.opset >= _FIRST_OPSET_WITH_AXES:
            # Height and width only: batch and channels need not be known.
            attributes["axes"] = [2, 3]  # type: ignore[assignment]
            sizes = spatial
        else:
            zero = graph.make_const(utils.make_name("zero"), np.array([0], np.int64)).output[0]
            two = graph.make_const(utils.make_name("two"), np.array([2], np.int64)).output[0]
            shape = graph.make_node("Shape", [nchw]).output[0]
            head = graph.make_node("Slice", [shape, zero, two]).output[0]
            sizes = graph.make_node("Concat", [head, spatial], attr={"axis": 0}).output[0]
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

    def _sizes(self, graph: Any, node: Any, record: Provenance) -> str:
        """Name of an int64 tensor [2] with output height and width."""
        from tf2onnx import utils

        if record.size is not None:
            sizes = np.array(record.size, np.int64)
            return str(graph.make_const(utils.make_name("sizes"), sizes).output[0])
        import onnx

        return str(graph.make_node("Cast", [node.input[1]], attr={"to": onnx.TensorProto.INT64}).output[0])


def _provenance(node: Any) -> Provenance:
    return Provenance(
        op=node.type,
        name=node.name,
        align_corners=_flag(node, "align_corners"),
        half_pixel_centers=_flag(node, "half_pixel_centers"),
        size=_constant_size(node),
    )


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
