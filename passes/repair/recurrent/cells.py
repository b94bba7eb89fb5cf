"""Which recurrent cell the update of a state is, and its weights in ONNX's order.

The formulas are those of ONNX's operators GRU and RNN; rows are entries of a batch::

    GRU   z = σ(x Wz + h Rz + bz),  r = σ(x Wr + h Rr + br)
          n = g(x Wn + (r ∘ h) Rn + bn)              linear_before_reset = 0
          n = g(x Wn + r ∘ (h Rn + cn) + bn)         linear_before_reset = 1
          h' = z ∘ h + (1 - z) ∘ n
    RNN   h' = g(x W + h R + b)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from passes.repair.recurrent.forms import Form, Symbol

__all__ = ["Cell", "recognise"]

_SIGMOID = "Sigmoid"
ACTIVATIONS = ("Sigmoid", "Tanh", "Relu", "Softsign", "Softplus")
"""Functions that GRU and RNN take by name, without a parameter."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A recurrent operator.

    Attributes:
        operator: ``GRU`` or ``RNN``.
        activations: as of the operator.
        linear_before_reset: as of GRU; None for RNN.
        weights: W [1, gates * hidden, input], R [1, gates * hidden, hidden], B [1, 2 * gates * hidden], float32.
    """

    operator: str
    activations: list[str]
    linear_before_reset: int | None
    weights: tuple[np.ndarray, np.ndarray, np.ndarray]


def recognise(update: Form, sequence: Symbol, state: Symbol) -> Cell | None:
    """The cell whose next state is `update`; None if it is neither."""
    single = update.symbol()
    if single is not None and single.kind in ACTIVATIONS:
        gate = _gate(single.arguments[0], sequence, state)
        return None if gate is None else Cell("RNN", [single.kind], None, _stacked([gate]))
    return _gru(update, sequence, state)


def _gru(update: Form, sequence: Symbol, state: Symbol) -> Cell | None:
    symbols = update.sum_of()
    if symbols is None or len(symbols) != 2 or any(symbol.kind != "product" for symbol in symbols):
        return None
    for kept, new in (symbols, symbols[::-1]):
        z = _other(kept, state)
        if z is None or z.kind != _SIGMOID:
            continue
        candidate = _behind_one_minus(new, z)
        if candidate is None or candidate.kind not in ACTIVATIONS:
            continue
        update_gate = _gate(z.arguments[0], sequence, state)
        found = _candidate(candidate.arguments[0], sequence, state)
        if update_gate is None or found is None:
            continue
        linear, reset_gate, new_gate = found
        return Cell("GRU", [_SIGMOID, candidate.kind], linear, _stacked([update_gate, reset_gate, new_gate]))
    return None


def _other(product: Symbol, one: Symbol) -> Symbol | None:
    """The second factor of a product of two symbols, the first of which is `one`."""
    for first, second in (product.arguments, product.arguments[::-1]):
        if first.symbol() is one:
            return second.symbol()
    return None


def _behind_one_minus(product: Symbol, z: Symbol) -> Symbol | None:
    """n, where the product is (1 - z) ∘ n."""
    for first, second in (product.arguments, product.arguments[::-1]):
        if first.one_minus() is z:
            return second.symbol()
    return None


Gate = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _gate(form: Form, sequence: Symbol, state: Symbol) -> Gate | None:
    """W [input, hidden], R [hidden, hidden] and the two biases of x W + h R + b."""
    if not set(form.terms) <= {sequence, state}:
        return None
    width = form.width
    w = form.terms.get(sequence, np.zeros((sequence.width, width)))
    r = form.terms.get(state, np.zeros((state.width, width)))
    return w, r, form.bias, np.zeros(width)


def _candidate(form: Form, sequence: Symbol, state: Symbol) -> tuple[int, Gate, Gate] | None:
    """linear_before_reset, the reset gate and the candidate's own gate."""
    products = [symbol for symbol in form.terms if symbol.kind == "product"]
    if len(products) != 1 or not set(form.terms) <= {sequence, products[0]}:
        return None
    product, matrix = products[0], form.terms[products[0]]
    w = form.terms.get(sequence, np.zeros((sequence.width, form.width)))
    before = _other(product, state)
    if before is not None and before.kind == _SIGMOID:
        reset = _gate(before.arguments[0], sequence, state)
        return None if reset is None else (0, reset, (w, matrix, form.bias, np.zeros(form.width)))
    if Form(np.zeros(form.width), {product: matrix}).symbol() is not product:
        return None
    for first, second in (product.arguments, product.arguments[::-1]):
        r = first.symbol()
        if r is None or r.kind != _SIGMOID or not set(second.terms) <= {state}:
            continue
        reset = _gate(r.arguments[0], sequence, state)
        inner = second.terms.get(state, np.zeros((state.width, form.width)))
        if reset is not None:
            return 1, reset, (w, inner, form.bias, second.bias)
    return None


def _stacked(gates: list[Gate]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    w = np.concatenate([gate[0].T for gate in gates])
    r = np.concatenate([gate[1].T for gate in gates])
    b = np.concatenate([gate[2] for gate in gates] + [gate[3] for gate in gates])
    return w[None].astype(np.float32), r[None].astype(np.float32), b[None].astype(np.float32)
