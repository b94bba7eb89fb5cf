"""A Core ML neural network whose resizes can be exchanged while the simulator runs it.

Native resize layers and the custom layer `RWAlignedResize` are exchanged. Resizes that the lowering wrote as products
with constant matrices, or as gathers, are named as not examined.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rewriter.coreml.customlayer.parameters import CLASS_NAME, LayerParameters
from rewriter.coreml.simulator.neuralnetwork import SimulatedNetwork, load_network
from rewriter.coreml.simulator.neuralnetwork.layer import enum_name
from rewriter.resampling import AxisResize, TensorResize
from rewriter.resampling.coreml_words import resize_bilinear_layer, upsample_layer
from rewriter.verification.refit.candidate import Assignment
from rewriter.verification.refit.suspects import Suspect, axis_matrix
from rewriter.verification.runners import Arrays

__all__ = ["NetworkCandidate"]

_CERTIFICATES = "rewriter.certificates"
_RESIZES = ("custom", "resizeBilinear", "upsample")


class NetworkCandidate:
    """See `Refittable`.

    Args:
        path: of the ``.mlmodel`` file.
        cases: the network's own inputs by case; its lengths are fixed, so all cases resize alike.
    """

    def __init__(self, path: Path, cases: Mapping[str, Arrays]) -> None:
        self._network = load_network(path)
        self._cases = cases
        places, self.unexamined = _find(self._network, next(iter(cases.values())))
        self._tensors = [place.tensor for place in places]
        self.suspects = [
            Suspect(place.name, dict.fromkeys(cases, TensorResize(place.axes)), tensor=place.tensor)
            for place in places
        ]

    def prepare(self, case: str) -> None:
        """Nothing: lengths are fixed, and the network is run whole."""

    def outputs(self, case: str, assignment: Assignment) -> Arrays:
        """Outputs by name for the inputs of one case."""
        exchanged = {
            self._tensors[index]: _Resize(self.suspects[index].meaning(spelling, case))
            for index, spelling in assignment.items()
        }
        found = self._network.predict(self._cases[case], exchanged=exchanged)
        return {name: np.asarray(value) for name, value in found.items()}


@dataclass(frozen=True)
class _Resize:
    """The last two axes by matrices."""

    meaning: TensorResize

    def __call__(self, x: np.ndarray) -> np.ndarray:
        rows, columns = self.meaning.axes
        result: np.ndarray = axis_matrix(rows) @ x @ axis_matrix(columns).T
        return result


@dataclass(frozen=True)
class _Place:
    """One resize layer: the name of its node, the tensor that it makes, and what it computes."""

    name: str
    tensor: str
    axes: tuple[AxisResize, AxisResize]


def _find(network: SimulatedNetwork, inputs: Arrays) -> tuple[list[_Place], list[tuple[str, str]]]:
    """The resize layers in the order they run, and name and reason of what is not examined."""
    layers = [layer for layer in network.layers if _resizes(layer)]
    names = [name for layer in layers for name in (layer.input[0], layer.output[0])]
    given = {name for name in names if name in inputs}
    values = {**inputs, **network.predict(inputs, trace=[name for name in names if name not in given])}
    entries = _certificates(network)
    certified = [entry for entry in entries if entry.get("kind") in ("native", "custom")]
    matches = len(certified) == len(layers)
    places = []
    for index, layer in enumerate(layers):
        lengths = [np.shape(values[name])[-2:] for name in (layer.input[0], layer.output[0])]
        name = str(certified[index]["node"]) if matches else layer.name
        places.append(_Place(name, layer.output[0], _axes(layer, lengths[0], lengths[1])))
    hidden = [entry for entry in entries if entry.get("kind") in ("matmul", "gather")]
    reason = "it is written by matrices or copies, which are not exchanged in neural networks"
    return places, [(str(entry.get("node")), reason) for entry in hidden]


def _resizes(layer: Any) -> bool:
    kind = layer.WhichOneof("layer")
    return kind in _RESIZES and (kind != "custom" or layer.custom.className == CLASS_NAME)


def _certificates(network: SimulatedNetwork) -> list[dict[str, Any]]:
    """What the lowering wrote about each Resize; empty for files of other tools."""
    try:
        entries = json.loads(network.metadata.get(_CERTIFICATES, "[]"))
    except ValueError:
        return []
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _axes(layer: Any, lengths: tuple[int, ...], made: tuple[int, ...]) -> tuple[AxisResize, AxisResize]:
    """What a layer computes along height and width, by its own words rather than by the certificate."""
    kind = layer.WhichOneof("layer")
    if kind == "custom":
        messages = layer.custom.parameters.items()
        given = {name: getattr(message, message.WhichOneof("value")) for name, message in messages}
        return LayerParameters(**given).axes(*lengths)
    pairs = list(zip(lengths, made, strict=True))
    if kind == "resizeBilinear":
        method = enum_name(layer.resizeBilinear.mode, "samplingMethod")
        rows, columns = (resize_bilinear_layer(n, m, method) for n, m in pairs)
        return rows, columns
    parameters = layer.upsample
    mode, grid = enum_name(parameters, "mode"), enum_name(parameters, "linearUpsampleMode")
    rows, columns = (upsample_layer(n, m / n, mode, grid) for n, m in pairs)
    return rows, columns
