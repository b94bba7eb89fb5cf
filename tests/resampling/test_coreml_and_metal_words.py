"""Core ML's words against coremltools' own expected values and our simulator; Metal's against its documentation."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rewriter.errors import UnsupportedError
from rewriter.resampling import AxisResize, TensorResize, compare, metal
from rewriter.resampling import coreml_words as words

RAMP = np.arange(1.0, 17.0).reshape(4, 4)


def _crop(box: list[float], target: tuple[int, int], **options: object) -> TensorResize:
    sides = [words.box_of_axis(box, side) for side in ("height", "width")]
    return TensorResize(
        tuple(words.crop_resize(4, n, side, **options) for n, side in zip(target, sides, strict=True))  # type: ignore[arg-type]
    )


def test_crop_resize_gives_the_values_of_coremltools_own_tests() -> None:
    expected = 6 + np.arange(4)[:, None] * 4 / 3 + np.arange(4)[None] / 3
    aligned = _crop([1, 1, 2, 2], (4, 4), sampling_mode="ALIGN_CORNERS")
    np.testing.assert_allclose(aligned.apply(RAMP), expected, atol=1e-12)
    assert _crop([1, 1, 2, 2], (1, 1), sampling_mode="ALIGN_CORNERS").apply(RAMP) == 8.5
    padded = TensorResize(
        _crop([0.1, 0.3, 1.3, 1], (2, 2), sampling_mode="ALIGN_CORNERS", normalized_coordinates=True).axes,
        extrapolation_value=10.0,
    )
    np.testing.assert_allclose(padded.apply(RAMP), [[3.1, 5.2], [10, 10]], atol=1e-5)


def test_upsample_and_resize_nearest_give_the_values_of_coremltools_own_tests() -> None:
    assert words.upsample_nearest_neighbor(3, 0.67).selection == (0, 1)
    assert words.resize(2, 3, "NEAREST_NEIGHBOR").selection == (0, 1, 1)
    assert words.resize_nearest_neighbor(1, 3).selection == (0, 0, 0)


def test_what_documentation_does_not_say_is_marked() -> None:
    assert words.upsample_nearest_neighbor(4, 2).assumption == ""
    assert words.upsample_nearest_neighbor(4, 1.5).assumption
    assert words.resize_nearest_neighbor(4, 6).assumption
    assert not words.resize_nearest_neighbor(4, 8).assumption
    assert words.resize(4, 8, "NEAREST_NEIGHBOR", "ALIGN_CORNERS").assumption
    assert words.crop_resize(4, 2, (0, 3), "UNALIGN_CORNERS").assumption
    assert words.resample(4, [0.5], "nearest").assumption


def test_an_assumption_does_not_make_two_equal_maps_differ() -> None:
    assert words.resize_nearest_neighbor(4, 6) == AxisResize(4, 6, "nearest", "tf_half_pixel_for_nn", "floor")


@pytest.mark.parametrize(
    ("layer", "operator"),
    [
        ("STRICT_ALIGN_ENDPOINTS_MODE", "STRICT_ALIGN_CORNERS"),
        ("ALIGN_ENDPOINTS_MODE", "ALIGN_CORNERS"),
        ("UPSAMPLE_MODE", "DEFAULT"),
        ("ROI_ALIGN_MODE", "OFFSET_CORNERS"),
    ],
)
def test_layers_sample_as_the_operators_they_became(layer: str, operator: str) -> None:
    for n, m in ((3, 7), (9, 4), (5, 1)):
        assert compare(words.resize_bilinear_layer(n, m, layer), words.resize_bilinear(n, m, operator)).equal
    a = words.crop_resize_layer(9, 4, (0.25, 0.75), layer, normalized_coordinates=True)
    assert compare(a, words.crop_resize(9, 4, (0.25, 0.75), operator, True)).equal


def test_upsample_layer_has_three_linear_grids_and_repetition() -> None:
    ramp = np.arange(3.0)
    for mode, expected in (
        ("DEFAULT", [0, 0.5, 1, 1.5, 2, 2]),
        ("ALIGN_CORNERS_TRUE", [0, 0.4, 0.8, 1.2, 1.6, 2]),
        ("ALIGN_CORNERS_FALSE", [0, 0.25, 0.75, 1.25, 1.75, 2]),
    ):
        np.testing.assert_allclose(words.upsample_layer(3, 2, "BILINEAR", mode).matrix() @ ramp, expected)
    assert words.upsample_layer(2, 3).selection == (0, 0, 0, 1, 1, 1)
    assert words.upsample_layer(4, 1.5, "BILINEAR", "ALIGN_CORNERS_TRUE").n_out == 6
    for options in (("NN", "DEFAULT"), ("BILINEAR", "DEFAULT")):
        with pytest.raises(UnsupportedError, match="whole factors"):
            words.upsample_layer(4, 1.5, *options)


def test_resample_padding_modes() -> None:
    signal = np.array([1.0, 2.0, 3.0])
    extended = {  # what the documentation shows for |1, 2, 3|, from position -3 on
        "border": [1, 1, 1, 1, 2, 3, 3, 3, 3],
        "reflection": [2, 3, 2, 1, 2, 3, 2, 1, 2],
        "symmetric": [3, 2, 1, 1, 2, 3, 3, 2, 1],
        "constant": [0, 0, 0, 1, 2, 3, 0, 0, 0],
    }
    for mode, values in extended.items():
        axis = words.resample(3, [float(p) for p in range(-3, 6)], padding_mode=mode)
        np.testing.assert_allclose(axis.matrix() @ signal, values)
    half = words.resample(3, [-0.5, 2.5], padding_mode="constant")
    np.testing.assert_allclose(TensorResize((half,), 9.0, background=9.0).apply(signal), [5, 6])
    corners = words.resample(5, [-1, 1], coordinates_mode="normalized_minus_one_to_one")
    assert corners.coordinates == (0, 4)
    edges = words.resample(5, [0, 1], coordinates_mode="normalized_zero_to_one", align_corners=False)
    assert edges.coordinates == (Fraction(-1, 2), Fraction(9, 2))


def test_the_simulator_computes_the_same(tmp_path: Path) -> None:
    """One program with every operator and mode, evaluated by the simulator, which shares no code with the words."""
    ct = pytest.importorskip("coremltools")
    from coremltools.converters.mil import Builder as mb  # noqa: N813

    from rewriter.coreml.simulator import load

    wanted: dict[str, TensorResize] = {}

    def both(make) -> tuple:  # type: ignore[no-untyped-def,type-arg]
        return (AxisResize(1, 1), AxisResize(1, 1), make(5), make(6))

    @mb.program(input_specs=[mb.TensorSpec((1, 1, 5, 6))], opset_version=ct.target.iOS17)
    def program(x):  # type: ignore[no-untyped-def]
        outputs = []
        for mode in words.SAMPLING_MODES:
            for target in (1, 3, 8, 11):
                name = f"bilinear_{mode}_{target}"
                outputs.append(
                    mb.resize_bilinear(
                        x=x,
                        target_size_height=target,
                        target_size_width=target,
                        sampling_mode=mode,
                        name=name,
                    )
                )
                wanted[name] = TensorResize(both(lambda n, m=target, s=mode: words.resize_bilinear(n, m, s)))
            for interpolation in ("LINEAR", "NEAREST_NEIGHBOR"):
                name = f"resize_{interpolation}_{mode}"
                outputs.append(
                    mb.resize(
                        x=x,
                        shape=[7, 7],
                        resized_dims=np.uint32(2),
                        interpolation_mode=interpolation,
                        sampling_mode=mode,
                        name=name,
                    )
                )
                wanted[name] = TensorResize(both(lambda n, i=interpolation, s=mode: words.resize(n, 7, i, s)))
        for factor in (2, 3):
            name = f"nearest_{factor}"
            outputs.append(
                mb.upsample_nearest_neighbor(
                    x=x, scale_factor_height=factor, scale_factor_width=factor, name=name
                )
            )
            wanted[name] = TensorResize(both(lambda n, f=factor: words.upsample_nearest_neighbor(n, f)))
            for align in (True, False):
                name = f"upsample_{factor}_{align}"
                outputs.append(
                    mb.upsample_bilinear(
                        x=x,
                        scale_factor_height=factor,
                        scale_factor_width=factor,
                        align_corners=align,
                        name=name,
                    )
                )
                wanted[name] = TensorResize(
                    both(lambda n, f=factor, a=align: words.upsample_bilinear(n, f, a))
                )
        name = "resize_nearest"
        outputs.append(mb.resize_nearest_neighbor(x=x, target_size_height=9, target_size_width=4, name=name))
        targets = iter((9, 4))
        wanted[name] = TensorResize(both(lambda n: words.resize_nearest_neighbor(n, next(targets))))
        return tuple(outputs)

    model = ct.convert(
        program,
        source="milinternal",
        convert_to="mlprogram",
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS17,
    )
    path = tmp_path / "words.mlpackage"
    model.save(str(path))
    x = np.random.default_rng(0).normal(size=(1, 1, 5, 6)).astype(np.float32)
    results = load(path).predict({"x": x})
    for name, resize in wanted.items():
        np.testing.assert_allclose(results[name], resize.apply(x), atol=1e-5, err_msg=name)
    assert len(wanted) == 37


def test_metal_is_documentation_only() -> None:
    maps = [
        metal.mps_cnn_upsampling_nearest(4, 2),
        metal.mps_cnn_upsampling_bilinear(4, 2, align_corners=True),
        metal.mps_nn_resize_bilinear(4, 7, align_corners=True),
        metal.mps_image_bilinear_scale(4, 7),
        metal.mps_graph_resize(4, 7),
        metal.mps_graph_resize(4, 7, "nearest"),
        metal.mps_graph_resize(4, 7, "nearest", nearest_rounding_mode="roundToEven"),
    ]
    assert all(axis.documented_only for axis in maps)
    assert not AxisResize(4, 7).documented_only


def test_metal_words() -> None:
    for n, m in ((4, 8), (5, 9)):
        aligned = AxisResize(n, m, "linear", "align_corners")
        assert compare(metal.mps_nn_resize_bilinear(n, m, align_corners=True), aligned).equal
        # alignCorners makes centerResult a no-op.
        assert compare(metal.mps_graph_resize(n, m, center_result=False, align_corners=True), aligned).equal
        assert compare(metal.mps_graph_resize(n, m, center_result=True, align_corners=True), aligned).equal
        assert compare(
            metal.mps_graph_resize(n, m, center_result=False), AxisResize(n, m, "linear", "asymmetric")
        ).equal
        assert compare(metal.mps_graph_resize(n, m), metal.mps_image_bilinear_scale(n, m)).equal
    nearest = metal.mps_graph_resize(
        2, 4, "nearest", center_result=False, nearest_rounding_mode="roundToEven"
    )
    assert nearest.selection == (0, 0, 1, 1)  # 0, 0.5, 1, 1.5


def test_metal_grids_that_no_document_gives_have_to_be_assumed() -> None:
    for kernel in (metal.mps_cnn_upsampling_bilinear, metal.mps_nn_resize_bilinear):
        with pytest.raises(UnsupportedError, match="not documented"):
            kernel(4, 2)
        assumed = kernel(4, 2, assume="half_pixel")
        assert assumed.assumption
        assert assumed.coordinates == "half_pixel"
    with pytest.raises(UnsupportedError, match="whole factors"):
        metal.mps_cnn_upsampling_bilinear(4, 1.5, align_corners=True)  # type: ignore[arg-type]
