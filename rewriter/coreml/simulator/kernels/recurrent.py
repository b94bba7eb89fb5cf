"""Recurrent layers over a sequence [S, B, I], one step after the other."""

from __future__ import annotations

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.kernels.activation import apply_activation
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("rnn")
def rnn(call: Call) -> tuple[Array, Array]:
    """h = activation(W_ih x + W_hh h + b); outputs are in the order of processing."""
    hidden = call.tensor("initial_h")
    projected = _ordered(call) @ call.tensor("weight_ih").T + _bias(call, "bias")
    weight, activation = call.tensor("weight_hh").T, call.text("activation")
    steps = []
    for step in projected:
        hidden = apply_activation(activation, step + hidden @ weight)
        steps.append(hidden)
    return _sequence(call, steps), hidden


@kernel("gru")
def gru(call: Call) -> tuple[Array, Array]:
    """Gates reset, output, update; the reset gate scales h before its matrix product, or after with reset_after."""
    hidden, weight = call.tensor("initial_h"), call.tensor("weight_hh").T
    size = hidden.shape[-1]
    reset_after = call.has("reset_after") and call.flag("reset_after")
    bias = _bias(call, "bias")
    projected = _ordered(call) @ call.tensor("weight_ih").T + _bias(call, "input_bias")
    inner, outer = call.text("recurrent_activation"), call.text("activation")
    reset_part, output_part, update_part = (slice(i * size, (i + 1) * size) for i in range(3))
    bias = np.broadcast_to(bias, (3 * size,))
    steps = []
    for step in projected:
        recurrent = hidden @ weight + bias
        reset = apply_activation(inner, step[:, reset_part] + recurrent[:, reset_part])
        update = apply_activation(inner, step[:, update_part] + recurrent[:, update_part])
        if reset_after:
            candidate = reset * recurrent[:, output_part]
        else:
            candidate = (reset * hidden) @ weight[:, output_part] + bias[output_part]
        hidden = (1 - update) * apply_activation(outer, step[:, output_part] + candidate) + update * hidden
        steps.append(hidden)
    return _sequence(call, steps), hidden


@kernel("lstm")
def lstm(call: Call) -> tuple[Array, Array, Array]:
    """One direction, or two whose hidden states are joined along the last axis."""
    direction = call.text("direction")
    if direction != "bidirectional":
        steps, hidden, cell = _lstm_pass(
            call, _ordered(call), call.tensor("initial_h"), call.tensor("initial_c"), ""
        )
        return _sequence(call, steps), hidden, cell
    x = call.tensor("x")
    first_h, second_h = np.split(call.tensor("initial_h"), 2, -1)
    first_c, second_c = np.split(call.tensor("initial_c"), 2, -1)
    forward, forward_h, forward_c = _lstm_pass(call, x, first_h, first_c, "")
    backward, backward_h, backward_c = _lstm_pass(call, x[::-1], second_h, second_c, "_back")
    hidden, cell = np.concatenate([forward_h, backward_h], -1), np.concatenate([forward_c, backward_c], -1)
    if not call.flag("output_sequence"):
        return hidden[None], hidden, cell
    joined = [np.concatenate(pair, -1) for pair in zip(forward, backward[::-1], strict=True)]
    return np.stack(joined), hidden, cell


def _lstm_pass(
    call: Call, x: Array, hidden: Array, cell: Array, suffix: str
) -> tuple[list[Array], Array, Array]:
    """Gates input, forget, output, cell; peepholes see the cell state, the output gate the new one."""
    weight = call.tensor(f"weight_hh{suffix}").T
    projected = x @ call.tensor(f"weight_ih{suffix}").T + _bias(call, f"bias{suffix}")
    name = f"peephole{suffix}"
    peephole = call.tensor(name) if call.has(name) else np.zeros(3 * hidden.shape[-1], x.dtype)
    peep_input, peep_forget, peep_output = np.split(peephole, 3)
    gate, inner, outer = (call.text(key) for key in ("recurrent_activation", "cell_activation", "activation"))
    limit = np.float32(call.number("clip")) if call.has("clip") else np.float32(np.inf)
    steps = []
    for step in projected:
        into, forget, out, new = np.split(step + hidden @ weight, 4, -1)
        into = apply_activation(gate, into + peep_input * cell)
        forget = apply_activation(gate, forget + peep_forget * cell)
        cell = np.clip(forget * cell + into * apply_activation(inner, new), -limit, limit)
        hidden = apply_activation(gate, out + peep_output * cell) * apply_activation(outer, cell)
        steps.append(hidden)
    return steps, hidden, cell


def _ordered(call: Call) -> Array:
    x = call.tensor("x")
    return x[::-1] if call.text("direction") == "reverse" else x


def _bias(call: Call, name: str) -> Array:
    return call.tensor(name) if call.has(name) else np.zeros((), np.float32)


def _sequence(call: Call, steps: list[Array]) -> Array:
    return np.stack(steps) if call.flag("output_sequence") else steps[-1][None]
