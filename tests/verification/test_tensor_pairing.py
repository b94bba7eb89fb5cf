"""Inputs and outputs of two networks are paired by name, then by shape and layout."""

from __future__ import annotations

import numpy as np
import pytest

from rewriter.errors import UsageError
from rewriter.tensorspec import TensorSpec
from rewriter.verification.pairing import pair

FLOAT = np.dtype(np.float32)


def specs(**shapes: tuple[int | None, ...]) -> list[TensorSpec]:
    return [TensorSpec(name, shape, FLOAT) for name, shape in shapes.items()]


def test_names_decide_whatever_the_order():
    links = pair(specs(a=(1, 2), b=(1, 2)), specs(b=(1, 2), a=(1, 2)), "input")
    assert [(link.reference, link.candidate) for link in links] == [("a", "a"), ("b", "b")]


def test_names_as_other_formats_write_them():
    reference = [TensorSpec("serving/image:0", (1, 4), FLOAT), TensorSpec("scale", (1, 4), FLOAT)]
    candidate = [TensorSpec("scale", (1, 4), FLOAT), TensorSpec("serving_image", (1, 4), FLOAT)]
    assert [link.candidate for link in pair(reference, candidate, "input")] == ["serving_image", "scale"]


def test_without_common_names_shapes_decide():
    links = pair(specs(a=(1, 2), b=(1, 5)), specs(x=(1, 5), y=(1, 2)), "output")
    assert [(link.reference, link.candidate) for link in links] == [("a", "y"), ("b", "x")]


def test_without_names_and_with_equal_shapes_the_order_decides():
    links = pair(specs(a=(1, 2), b=(1, 2)), specs(x=(1, 2), y=(1, 2)), "output")
    assert [(link.reference, link.candidate) for link in links] == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ((1, 6, 5, 3), (1, 3, 6, 5)),
        ((1, 3, 6, 5), (1, 6, 5, 3)),
        ((None, 6, 5, 3), (1, 3, 6, 5)),
        ((1, 6, 5, 3), (6, 5, 3)),
        ((6, 5, 3), (1, 6, 5, 3)),
        ((6, 5, 3), (3, 6, 5)),
        ((6, 5, 3), (1, 3, 6, 5)),
        ((1, 6, 5, 3), (3, 6, 5)),
        ((1, 4, 6, 5, 3), (1, 3, 4, 6, 5)),
    ],
)
def test_layouts_are_reconciled_and_back(own, other):
    (link,) = pair(specs(x=own), specs(x=other), "input")
    shape = tuple(length or 1 for length in own)
    array = np.arange(np.prod(shape)).reshape(shape)
    there = link.to_candidate(array)
    assert there.shape == other
    np.testing.assert_array_equal(link.to_reference(there), array)
    assert link.shape_for_reference(other) == shape
    # The channels stay together whatever the layout.
    if 3 in other and there.ndim == 4 and other[1] == 3:
        np.testing.assert_array_equal(there[0, :, 0, 0], array.reshape(-1, 3)[0])


def test_equal_shapes_are_not_transposed():
    (link,) = pair(specs(x=(1, 3, 3, 3)), specs(x=(1, 3, 3, 3)), "input")
    assert link.permutation is None and link.batch == 0
    assert link.describe() == "x"


def test_what_is_paired_is_said():
    (link,) = pair(specs(image=(1, 6, 5, 3)), specs(input_1=(1, 3, 6, 5)), "input")
    assert link.describe() == "image → input_1, axes 0 3 1 2"


def test_another_number_of_tensors_is_refused_with_names():
    with pytest.raises(UsageError, match=r"2 inputs \(a, b\).*1 \(x\)"):
        pair(specs(a=(1,), b=(1,)), specs(x=(1,)), "input")


def test_an_input_that_no_layout_reconciles_is_refused_with_shapes():
    with pytest.raises(UsageError, match=r"'x' has shape \[1, \?, 5, 3\].*\[1, 7, 9, 4\]"):
        pair(specs(x=(1, None, 5, 3)), specs(x=(1, 7, 9, 4)), "input")


def test_an_output_of_another_shape_is_left_to_the_comparison():
    (link,) = pair(specs(y=(1, 8, 8, 3)), specs(y=(1, 9, 9, 3)), "output")
    assert (link.reference, link.candidate) == ("y", "y")
