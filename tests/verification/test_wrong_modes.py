"""A wrong mode at any one resize of any sample network is rejected, and that node is named first.

The mutants have no provenance, and their nodes have new names: only the numbers can tell.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import pytest

import models
from rewriter.resampling import AxisResize, TensorResize, compare
from rewriter.verification import verify

pytest.importorskip("tensorflow")

MODES = ("align_corners", "half_pixel", "asymmetric")


class _Remembered:
    """A Keras runner that computes each input once."""

    def __init__(self, model) -> None:  # type: ignore[no-untyped-def]
        from rewriter.verification.runners import open_runner

        runner = open_runner(model)
        self.__dict__.update(
            {name: getattr(runner, name) for name in ("name", "kind", "simulated", "precision", "source")}
        )
        self.inputs, self.outputs = runner.inputs, runner.outputs
        self._runner, self._known = runner, {}

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        key = tuple(array.tobytes() for array in inputs.values())
        if key not in self._known:
            self._known[key] = self._runner.run(inputs)
        return self._known[key]


@pytest.fixture(scope="module", params=sorted(models.REGISTRY))
def network(request: pytest.FixtureRequest) -> tuple[_Remembered, onnx.ModelProto]:
    from rewriter.tensorflow.convert import convert

    model = models.build(request.param)
    proto = convert(model)
    del proto.metadata_props[:]
    for index, node in enumerate(proto.graph.node):
        del node.metadata_props[:]
        node.name = f"node_{index}"
    return _Remembered(model), proto


def _mutants(proto: onnx.ModelProto) -> Iterator[tuple[onnx.ModelProto, str, str, str]]:
    """(mutant, node, true mode, wrong mode), every resize and every mode that it does not have."""
    for index, node in enumerate(proto.graph.node):
        if node.op_type != "Resize":
            continue
        for wrong in MODES:
            mutant = onnx.ModelProto.FromString(proto.SerializeToString())
            attribute = next(
                a for a in mutant.graph.node[index].attribute if a.name == "coordinate_transformation_mode"
            )
            true = attribute.s.decode()
            if true != wrong:
                attribute.s = wrong.encode()
                yield mutant, node.name, true, wrong


def _from_one_pixel(proto: onnx.ModelProto, name: str) -> bool:
    """Whether the node's input is 1×1: every mode then gives the same constant."""
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(proto).graph.value_info
    }
    node = next(node for node in proto.graph.node if node.name == name)
    return shapes.get(node.input[0], [])[2:] == [1, 1]


def test_one_wrong_node_is_named_first(network: tuple[_Remembered, onnx.ModelProto]) -> None:
    reference, proto = network
    assert verify(reference, [proto]).passed
    rejected = 0
    for mutant, node, true, wrong in _mutants(proto):
        report = verify(reference, [mutant])
        if _from_one_pixel(proto, node):
            assert report.passed, (node, wrong)
            continue
        assert not report.passed, (node, wrong)
        first = report.diagnosis[0]
        assert first.node == node, (node, wrong, first.message)
        assert (first.reference_semantics, first.candidate_semantics) == (f"linear {true}", f"linear {wrong}")
        assert first.shift_px is not None and first.shift_px > 0
        rejected += 1
    assert rejected >= 2


def test_every_mode_is_the_same_from_one_pixel() -> None:
    resizes = [
        TensorResize((AxisResize(1, 17, "linear", mode), AxisResize(1, 17, "linear", mode))) for mode in MODES
    ]
    assert all(compare(resizes[0], other).equal for other in resizes[1:])


def test_all_nodes_wrong_are_all_named() -> None:
    from rewriter.tensorflow.convert import convert

    model = models.build("segmenter")
    proto = convert(model)
    del proto.metadata_props[:]
    names = []
    for node in proto.graph.node:
        del node.metadata_props[:]
        for attribute in node.attribute:
            if attribute.name == "coordinate_transformation_mode":
                attribute.s = b"half_pixel"
                names.append(node.name)
    report = verify(model, [proto])
    assert not report.passed
    assert [finding.node for finding in report.diagnosis if finding.level == "error"] == names
