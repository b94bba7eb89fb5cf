"""Where the entries of a shape tensor come from."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from rewriter.model import Model
from rewriter.model.lengths import LengthOf, length_sources
from tests.model.onnx_models import info, make_model, tensor

_OPEN_ENDS = (2**31 - 1, 2**63 - 1)


@pytest.mark.parametrize("stop", _OPEN_ENDS)
@pytest.mark.parametrize("rank", [4, None])
def test_a_slice_to_the_end_of_a_shape(stop: int, rank: int | None) -> None:
    """Exporters write the end as a huge number; the list must have as many entries as there are axes."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "start", "stop"], ["tail"]),
        helper.make_node("Resize", ["x", "", "", "tail"], ["y"], name="up", axes=[2, 3]),
    ]
    weights = [tensor("start", [2], np.int64), tensor("stop", [stop], np.int64)]
    shape = None if rank is None else ["n", "c", "h", "w"]
    model = Model.from_proto(make_model(nodes, [info("x", shape)], [info("y", None)], weights))
    (resize,) = model.resizes()
    found = length_sources(resize.node.inputs[3])
    x = model.graph.inputs[0]
    assert found == (None if rank is None else [LengthOf(x, 2), LengthOf(x, 3)])
    assert resize.size_sources == found
