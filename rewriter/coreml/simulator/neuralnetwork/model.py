"""A saved neural network that can be run anywhere, with the calling convention of `SimulatedModel`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rewriter.coreml.simulator.features import Feature, read_features
from rewriter.coreml.simulator.images import ImageFeature
from rewriter.coreml.simulator.neuralnetwork.layer import Layer, find_layer
from rewriter.coreml.simulator.reading import read_network
from rewriter.coreml.simulator.state import SimulatedState
from rewriter.errors import InputError, UnsupportedError, UsageError
from rewriter.tensorspec import TensorSpec

__all__ = ["Exchange", "SimulatedNetwork", "load_network"]

Exchange = Callable[[np.ndarray], np.ndarray]
"""Stands in for a layer: its output from its first input."""


def load_network(path: str | Path) -> SimulatedNetwork:
    """Read a ``.mlmodel`` file in the neuralnetwork format and make it ready to run.

    Raises:
        InputError: missing, cut off or not a Core ML model.
        UnsupportedError: another kind of model, or a layer without an evaluator.
    """
    return SimulatedNetwork(Path(path), read_network(path))


# NeuralNetworkMultiArrayShapeMapping of NeuralNetwork.proto.
_EXACT_ARRAY_MAPPING = 1


class _Main:
    """Stands in for a MIL function where features are read: the format gives no shapes of outputs."""

    outputs: tuple[Any, ...] = ()


class SimulatedNetwork:
    """A neural network evaluated with numpy in float32, layer by layer.

    Attributes:
        simulated: always True.
        path: the file.
        precision, compute_precision: the format leaves the precision to the device; float32 here, as on its CPU.
        function: always ``main``.
        unproven: empty: layers whose behaviour is not documented are refused.
        states: always empty.
        metadata: user-defined entries of the file.
    """

    simulated = True
    precision = "float32"
    compute_precision = "float32"
    function = "main"

    def __init__(self, path: Path, spec: Any) -> None:
        self.path = path
        self.unproven: list[str] = []
        self.states: list[Any] = []
        self._layers = list(spec.neuralNetwork.layers)
        self.metadata: dict[str, str] = dict(spec.description.metadata.userDefined)
        _check(spec, path)
        inputs, outputs = read_features(spec, _Main(), self.function, path)
        self._inputs: list[Feature | ImageFeature] = inputs
        self._outputs: list[Feature] = outputs
        self._last_use = _last_uses(self._layers)

    @property
    def inputs(self) -> list[TensorSpec]:
        """Name, shape and element type of each input."""
        return [feature.spec for feature in self._inputs]

    @property
    def layers(self) -> list[Any]:
        """The protobuf messages of the layers, in the order in which they run."""
        return list(self._layers)

    @property
    def outputs(self) -> list[TensorSpec]:
        """Name and element type of each output; shapes are not in the file."""
        return [feature.spec for feature in self._outputs]

    def make_state(self) -> SimulatedState:
        """No state: the format has none."""
        return SimulatedState([])

    def predict(
        self,
        data: Mapping[str, Any],
        state: SimulatedState | None = None,
        *,
        trace: Literal["all"] | Iterable[str] = (),
        exchanged: Mapping[str, Exchange] | None = None,
    ) -> dict[str, Any]:
        """Run the network; arguments and result as `SimulatedModel.predict`.

        `exchanged` gives, by the name of a tensor, what makes it from the first input of its layer instead.
        """
        unknown = sorted(set(data) - {feature.spec.name for feature in self._inputs})
        if unknown:
            expected = ", ".join(feature.spec.name for feature in self._inputs)
            raise InputError(
                f"has no input '{unknown[0]}'", file=self.path, remedy=f"its inputs are: {expected}"
            )
        values = {
            feature.spec.name: np.asarray(feature.checked(data.get(feature.spec.name), self.path), np.float32)
            for feature in self._inputs
        }
        kept = self._run(values, self._traced(trace), exchanged or {})
        results = {
            feature.spec.name: feature.presented(kept.pop(feature.spec.name)) for feature in self._outputs
        }
        return {**results, **kept}

    def _run(
        self, values: dict[str, np.ndarray], traced: frozenset[str], exchanged: Mapping[str, Exchange]
    ) -> dict[str, np.ndarray]:
        wanted = traced | {feature.spec.name for feature in self._outputs}
        kept = {name: value for name, value in values.items() if name in wanted}
        with np.errstate(all="ignore"):
            for index, message in enumerate(self._layers):
                given = [values[name] for name in message.input]
                other = exchanged.get(message.output[0])
                results = _evaluated(message, given) if other is None else [other(given[0])]
                for name, value in zip(message.output, results, strict=True):
                    values[name] = value
                    if name in wanted:
                        kept[name] = value
                for name in message.input:
                    if self._last_use[name] == index:
                        values.pop(name, None)
        return kept

    def _traced(self, trace: Literal["all"] | Iterable[str]) -> frozenset[str]:
        names = frozenset(name for message in self._layers for name in message.output)
        if trace == "all":
            return names
        chosen = frozenset([trace] if isinstance(trace, str) else trace)
        unknown = sorted(chosen - names)
        if unknown:
            raise UsageError(f"has no tensor '{unknown[0]}' to trace", file=self.path)
        return chosen


def _check(spec: Any, path: Path) -> None:
    network = spec.neuralNetwork
    if network.arrayInputShapeMapping != _EXACT_ARRAY_MAPPING:
        raise UnsupportedError("uses the rank-5 mapping of iOS 11 and 12, which is not simulated", file=path)
    if network.preprocessing:
        raise UnsupportedError("has preprocessing of images, which is not simulated", file=path)
    for message in network.layers:
        kind = message.WhichOneof("layer")
        if kind is None or find_layer(kind) is None:
            raise UnsupportedError(
                f"layer {kind or 'of no known kind'} is not known to the simulator",
                file=path,
                node=message.name,
            )


def _last_uses(layers: list[Any]) -> dict[str, int]:
    return {name: index for index, message in enumerate(layers) for name in message.input}


def _evaluated(message: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    kind = message.WhichOneof("layer")
    evaluate = find_layer(kind)
    assert evaluate is not None, kind
    given = Layer(kind, message.name, getattr(message, kind), inputs, len(message.output))
    result = evaluate(given)
    results = list(result) if isinstance(result, (list, tuple)) else [result]
    return [np.asarray(value, dtype=np.float32) for value in results]
