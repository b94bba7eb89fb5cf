"""RNN, GRU and LSTM: MIL's own operators where they compute the same, else written out step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import broadcast_to, cast, reshape, transpose
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import static_shape

__all__: list[str] = []

_MOST_STEPS = 512
_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_DEFAULT_ACTIVATIONS = {
    "RNN": ["Tanh"],
    "GRU": ["Sigmoid", "Tanh"],
    "LSTM": ["Sigmoid", "Tanh", "Tanh"],
}
_Activation = Callable[[Var], Var]


@dataclass(frozen=True)
class _Layer:
    """What a node says, the same for both directions.

    Attributes:
        x: input, shape [steps, batch, size].
        hidden: size of the state.
        batch_first: whether outputs have the batch first (layout 1).
        lengths: number of steps of each batch entry, shape [batch, 1]; None where all are whole.
        clip: bound on what the activations get; None where there is none.
    """

    node: Node
    x: Var
    hidden: int
    batch_first: bool
    lengths: Var | None
    clip: float | None

    @property
    def steps(self) -> int:
        return static_shape(self.x)[0]

    @property
    def batch(self) -> int:
        return static_shape(self.x)[1]


@lowering("RNN", "GRU", "LSTM")
def recurrent(node: Node) -> list[Var | None]:
    layer = _layer(node)
    names = node.attr("direction", "forward")
    directions = ["forward", "reverse"] if names == "bidirectional" else [names]
    results = [_direction(layer, index, name == "reverse") for index, name in enumerate(directions)]
    sequences = [sequence for sequence, _ in results]
    y = mb.stack(values=sequences, axis=1)  # [steps, directions, batch, hidden]
    states = [
        mb.stack(values=list(parts), axis=0) for parts in zip(*(state for _, state in results), strict=True)
    ]
    if layer.batch_first:
        y = transpose(y, (2, 0, 1, 3))
        states = [transpose(state, (1, 0, 2)) for state in states]
    return [y, *states]


def _layer(node: Node) -> _Layer:
    batch_first = bool(node.attr("layout", 0))
    x = node.var(0)
    if batch_first:
        x = transpose(x, (1, 0, 2))
    steps, batch, _ = static_shape(x)
    if steps > _MOST_STEPS:
        raise node.refuse(f"{steps} steps; up to {_MOST_STEPS} are written out")
    lengths = None
    known = node.constant(4)
    if node.has(4) and (known is None or np.any(known != steps)):
        lengths = reshape(node.var(4), (batch, 1))
    clip = node.attr("clip")
    return _Layer(node, x, _hidden(node), batch_first, lengths, None if clip is None else float(clip))


def _hidden(node: Node) -> int:
    return int(node.attr("hidden_size") or node.shape(2)[-1])


def _direction(layer: _Layer, index: int, is_reverse: bool) -> tuple[Var, list[Var]]:
    """The states of every step, [steps, batch, hidden], and the last state (of an LSTM also the cell)."""
    node, steps = layer.node, layer.steps
    gates = _GATES[node.op]
    weights, recurrence = _own(node.var(1), index), _own(node.var(2), index)
    bias = _own(node.var(3), index) if node.has(3) else None
    # The input's share of all gates at once.
    flat = reshape(layer.x, (steps * layer.batch, static_shape(layer.x)[2]))
    shares = mb.matmul(x=flat, y=weights, transpose_y=True)
    if bias is not None:
        shares = mb.add(x=shares, y=_slice(bias, 0, gates * layer.hidden, 0))
    shares = reshape(shares, (steps, layer.batch, gates * layer.hidden))
    inner = None if bias is None else _slice(bias, gates * layer.hidden, 2 * gates * layer.hidden, 0)
    state = [_initial(layer, 5, index)]
    if node.op == "LSTM":
        state.append(_initial(layer, 6, index))
    step = _cell(layer, index, recurrence, inner)
    outputs: list[Var] = []
    for number in range(steps - 1, -1, -1) if is_reverse else range(steps):
        new = step(_own(shares, number), state)
        output = new[0]
        if layer.lengths is not None:
            going = mb.greater(x=layer.lengths, y=np.int32(number))
            wide = cast(broadcast_to(cast(going, "int32"), static_shape(output)), "bool")
            new = [mb.select(cond=wide, a=a, b=b) for a, b in zip(new, state, strict=True)]
            output = mb.select(cond=wide, a=output, b=np.float32(0))
        outputs.append(output)
        state = new
    return mb.stack(values=outputs[::-1] if is_reverse else outputs, axis=0), state


def _initial(layer: _Layer, place: int, index: int) -> Var:
    node = layer.node
    if not node.has(place):
        # Zeros that depend on the input in form only would be folded anyway.
        return mb.const(val=np.zeros((layer.batch, layer.hidden), np.float32))
    value = node.var(place)
    if layer.batch_first:
        value = transpose(value, (1, 0, 2))
    return _own(value, index)


_Step = Callable[[Var, Sequence[Var]], list[Var]]


def _cell(layer: _Layer, index: int, recurrence: Var, bias: Var | None) -> _Step:
    activations = _activations(layer, index)
    if layer.node.op == "RNN":
        return _rnn(layer, recurrence, bias, activations)
    if layer.node.op == "GRU":
        return _gru(layer, recurrence, bias, activations)
    return _lstm(layer, index, recurrence, bias, activations)


def _rnn(layer: _Layer, recurrence: Var, bias: Var | None, f: Sequence[_Activation]) -> _Step:
    def step(share: Var, state: Sequence[Var]) -> list[Var]:
        total = mb.add(x=share, y=_product(state[0], recurrence, bias))
        return [f[0](_clipped(total, layer))]

    return step


def _gru(layer: _Layer, recurrence: Var, bias: Var | None, f: Sequence[_Activation]) -> _Step:
    """z = f(.), r = f(.), h = g(Xh + r ∘ (H Rh + Rbh)) or g(Xh + (r ∘ H) Rh + Rbh); H' = (1 - z) h + z H."""
    n = layer.hidden
    after = bool(layer.node.attr("linear_before_reset", 0))
    gate_bias = None if bias is None else _slice(bias, 0, 2 * n, 0)
    own_bias = None if bias is None else _slice(bias, 2 * n, 3 * n, 0)
    gates, own = _slice(recurrence, 0, 2 * n, 0), _slice(recurrence, 2 * n, 3 * n, 0)

    def step(share: Var, state: Sequence[Var]) -> list[Var]:
        before = state[0]
        both = mb.add(x=_slice(share, 0, 2 * n, 1), y=_product(before, gates, gate_bias))
        both = f[0](_clipped(both, layer))
        z, r = _slice(both, 0, n, 1), _slice(both, n, 2 * n, 1)
        if after:
            inner = mb.mul(x=r, y=_product(before, own, own_bias))
        else:
            inner = _product(mb.mul(x=r, y=before), own, own_bias)
        h = f[1](_clipped(mb.add(x=_slice(share, 2 * n, 3 * n, 1), y=inner), layer))
        kept = mb.mul(x=z, y=before)
        return [mb.add(x=mb.mul(x=mb.sub(x=np.float32(1), y=z), y=h), y=kept)]

    return step


def _lstm(layer: _Layer, index: int, recurrence: Var, bias: Var | None, f: Sequence[_Activation]) -> _Step:
    """Gates in the order i, o, f, c; peepholes in the order i, o, f."""
    n, node = layer.hidden, layer.node
    peepholes = None
    if node.has(7):
        whole = _own(node.var(7), index)
        peepholes = [_slice(whole, k * n, (k + 1) * n, 0) for k in range(3)]
    coupled = bool(node.attr("input_forget", 0))

    def step(share: Var, state: Sequence[Var]) -> list[Var]:
        hidden, cell = state
        total = mb.add(x=share, y=_product(hidden, recurrence, bias))
        i, o, g, c = (_slice(total, k * n, (k + 1) * n, 1) for k in range(4))
        if peepholes is not None:
            i = mb.add(x=i, y=mb.mul(x=peepholes[0], y=cell))
            g = mb.add(x=g, y=mb.mul(x=peepholes[2], y=cell))
        i = f[0](_clipped(i, layer))
        forget = mb.sub(x=np.float32(1), y=i) if coupled else f[0](_clipped(g, layer))
        c = f[1](_clipped(c, layer))
        cell = mb.add(x=mb.mul(x=forget, y=cell), y=mb.mul(x=i, y=c))
        if peepholes is not None:
            o = mb.add(x=o, y=mb.mul(x=peepholes[1], y=cell))
        o = f[0](_clipped(o, layer))
        return [mb.mul(x=o, y=f[2](cell)), cell]

    return step


def _clipped(x: Var, layer: _Layer) -> Var:
    if layer.clip is None:
        return x
    return mb.clip(x=x, alpha=np.float32(-layer.clip), beta=np.float32(layer.clip))


def _product(state: Var, weights: Var, bias: Var | None) -> Var:
    product = mb.matmul(x=state, y=weights, transpose_y=True)
    return product if bias is None else mb.add(x=product, y=bias)


def _own(value: Var, index: int) -> Var:
    """Element `index` along the first axis, which disappears."""
    shape = static_shape(value)
    return mb.slice_by_index(
        x=value,
        begin=[index] + [0] * (len(shape) - 1),
        end=[index + 1, *shape[1:]],
        squeeze_mask=[True] + [False] * (len(shape) - 1),
    )


def _slice(value: Var, start: int, stop: int, axis: int) -> Var:
    shape = list(static_shape(value))
    begin, end = [0] * len(shape), list(shape)
    begin[axis], end[axis] = start, stop
    return mb.slice_by_index(x=value, begin=begin, end=end)


def _activations(layer: _Layer, index: int) -> list[_Activation]:
    node = layer.node
    defaults = _DEFAULT_ACTIVATIONS[node.op]
    names = node.attr("activations")
    if not names:
        names = defaults * (2 if node.attr("direction") == "bidirectional" else 1)
    alphas = list(node.attr("activation_alpha") or [])
    betas = list(node.attr("activation_beta") or [])
    made: list[_Activation] = []
    for name in names:
        made.append(_activation(node, name, alphas, betas))
    return made[index * len(defaults) : (index + 1) * len(defaults)]


def _activation(node: Node, name: str, alphas: list[float], betas: list[float]) -> _Activation:
    """An activation by its ONNX name; those with parameters take the next ones of the lists."""

    def parameter(values: list[float], default: float) -> np.float32:
        return np.float32(values.pop(0) if values else default)

    plain: dict[str, _Activation] = {
        "sigmoid": lambda x: mb.sigmoid(x=x),
        "tanh": lambda x: mb.tanh(x=x),
        "relu": lambda x: mb.relu(x=x),
        "softsign": lambda x: mb.softsign(x=x),
        "softplus": lambda x: mb.softplus(x=x),
    }
    key = name.lower()
    if key in plain:
        return plain[key]
    if key == "leakyrelu":
        alpha = parameter(alphas, 0.01)
        return lambda x: mb.leaky_relu(x=x, alpha=alpha)
    if key == "elu":
        alpha = parameter(alphas, 1.0)
        return lambda x: mb.elu(x=x, alpha=alpha)
    if key == "affine":
        alpha, beta = parameter(alphas, 1.0), parameter(betas, 0.0)
        return lambda x: mb.add(x=mb.mul(x=x, y=alpha), y=beta)
    if key == "hardsigmoid":
        alpha, beta = parameter(alphas, 0.2), parameter(betas, 0.5)
        return lambda x: mb.sigmoid_hard(x=x, alpha=alpha, beta=beta)
    raise node.refuse(f"the activation {name}")
