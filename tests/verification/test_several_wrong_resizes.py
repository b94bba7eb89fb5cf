"""All resizes of a network wrong at once: each is found from the pixels alone, in graph order, and no other."""

from __future__ import annotations

import functools
from typing import Any

import onnx
import pytest

import models
from rewriter.resampling import AxisResize, compare
from rewriter.verification import verify

pytest.importorskip("tensorflow")

Lengths = tuple[tuple[int, int], ...]


@functools.cache
def network(name: str) -> tuple[Any, bytes]:
    """The Keras network, and its ONNX model without metadata and with meaningless node names."""
    from rewriter.tensorflow.convert import convert

    keras_network = models.build(name)
    model = convert(keras_network)
    del model.metadata_props[:]
    for number, node in enumerate(model.graph.node):
        del node.metadata_props[:]
        node.name, node.doc_string = f"n{number}", ""
    return keras_network, model.SerializeToString()


def coordinates_of(node: onnx.NodeProto) -> onnx.AttributeProto:
    return next(a for a in node.attribute if a.name == "coordinate_transformation_mode")


def lengths_of(model: onnx.ModelProto) -> dict[str, Lengths]:
    """Resize node → lengths of its resized axes, by the onnx wheel's own shape inference."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    return {
        node.name: tuple(zip(shapes[node.input[0]][2:], shapes[node.output[0]][2:], strict=True))
        for node in graph.node
        if node.op_type == "Resize"
    }


def is_same(lengths: Lengths, first: str, second: str) -> bool:
    """Whether two coordinate modes give the same linear resize at these lengths."""
    return all(
        compare(AxisResize(n, m, "linear", first), AxisResize(n, m, "linear", second)).equal
        for n, m in lengths
    )


@pytest.mark.parametrize("wrong", ["half_pixel", "asymmetric", "align_corners"])
@pytest.mark.parametrize("name", models.REGISTRY)
def test_every_wrong_node_is_named_in_graph_order(name: str, wrong: str) -> None:
    keras_network, serialised = network(name)
    model = onnx.ModelProto.FromString(serialised)
    lengths = lengths_of(model)
    expected = []
    for node in model.graph.node:
        if node.op_type == "Resize":
            right = coordinates_of(node).s.decode()
            coordinates_of(node).s = wrong.encode()
            if not is_same(lengths[node.name], right, wrong):
                expected.append((node.name, right))
    report = verify(keras_network, [model])
    accused = [finding for finding in report.diagnosis if finding.level == "error"]
    assert report.passed is (not expected)
    assert [finding.node for finding in accused] == [node for node, _ in expected]
    for finding, (node, right) in zip(accused, expected, strict=True):
        assert finding.candidate_semantics == f"linear {wrong}"
        meant = (finding.reference_semantics or "").removeprefix("linear ")
        assert is_same(lengths[node], right, meant), finding.message
        assert finding.shift_px is not None and finding.shift_px > 0
    notes = [finding for finding in report.diagnosis if finding.level != "error"]
    assert all("nothing shows" in finding.message for finding in notes)


@pytest.mark.parametrize("name", models.REGISTRY)
def test_the_unchanged_network_passes_without_remarks(name: str) -> None:
    keras_network, serialised = network(name)
    report = verify(keras_network, [onnx.ModelProto.FromString(serialised)])
    assert report.passed
    assert not report.diagnosis
