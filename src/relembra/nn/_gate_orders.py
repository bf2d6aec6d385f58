"""The one place that knows how other libraries lay out the weights of recurrent cells.

PyTorch's layout, which is ours, has a row for each gate and unit, and two biases. ONNX has the same
rows in another order. Keras has the transpose in yet another order, and one bias where there is no
need of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from relembra._errors import DataError

__all__ = [
    "Arrays",
    "from_keras_arrays",
    "from_onnx_arrays",
    "to_keras_arrays",
    "to_onnx_arrays",
]

Array = NDArray[Any]
Arrays = dict[str, Array]
"""Weights of one layer and direction by PyTorch's names, without the ending."""

# i input gate, f forget gate, g candidate, o output gate; r reset, z update, n candidate.
_OURS = {"rnn": "n", "lstm": "ifgo", "gru": "rzn"}
_ONNX = {"rnn": "n", "lstm": "iofg", "gru": "zrn"}
_KERAS = {"rnn": "n", "lstm": "ifgo", "gru": "zrn"}
_PEEPHOLES, _ONNX_PEEPHOLES = "ifo", "iof"


def _reordered(array: Array, given: str, wanted: str) -> Array:
    """Put blocks of rows in another order; a block that is not wanted is left out."""
    blocks = dict(zip(given, np.split(array, len(given)), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted])


class OnnxArrays(NamedTuple):
    """The weights of an ONNX node; D directions, G gates, H units, I inputs."""

    W: Array  # (D, G*H, I)
    R: Array  # (D, G*H, H)
    B: Array | None = None  # (D, 2*G*H)
    P: Array | None = None  # (D, 3*H)


def from_onnx_arrays(kind: str, given: OnnxArrays, coupled: bool = False) -> list[Arrays]:
    """Return the weights of each direction in PyTorch's order.

    Parameters
    ----------
    kind
        rnn, lstm or gru.
    given
        The node's inputs.
    coupled
        Whether the forget gate is one minus the input gate: its own weights mean nothing then.
    """
    theirs = _ONNX[kind]
    ours = _OURS[kind].replace("f", "") if coupled else _OURS[kind]
    found = []
    for d in range(given.W.shape[0]):
        arrays = {
            "weight_ih": _reordered(given.W[d], theirs, ours),
            "weight_hh": _reordered(given.R[d], theirs, ours),
        }
        if given.B is not None:
            for name, bias in zip(("bias_ih", "bias_hh"), np.split(given.B[d], 2), strict=True):
                arrays[name] = _reordered(bias, theirs, ours)
        if given.P is not None:
            wanted = _PEEPHOLES.replace("f", "") if coupled else _PEEPHOLES
            rows = given.P[d].reshape(3, -1)
            arrays["peephole"] = _reordered(rows, _ONNX_PEEPHOLES, wanted)
        found.append(arrays)
    return found


def to_onnx_arrays(kind: str, directions: list[Arrays], coupled: bool = False) -> OnnxArrays:
    """Return the inputs of an ONNX node; the inverse of `from_onnx_arrays`, to the last bit.

    Of a coupled cell the forget gate's rows, which mean nothing, are zeros.
    """
    theirs, ours = _ONNX[kind], _OURS[kind]

    def ordered(array: Array, given: str, wanted: str) -> Array:
        if coupled:
            blocks = np.split(array, len(given) - 1)
            blocks.insert(given.index("f"), np.zeros_like(blocks[0]))
            array = np.concatenate(blocks)
        return _reordered(array, given, wanted)

    def stacked(*names: str) -> Array | None:
        if any(name not in arrays for name in names for arrays in directions):
            return None
        return np.stack(
            [np.concatenate([ordered(a[name], ours, theirs) for name in names]) for a in directions]
        )

    W, R = stacked("weight_ih"), stacked("weight_hh")
    if W is None or R is None:
        raise DataError(f"expected weight_ih and weight_hh, got {sorted(directions[0])}")
    peepholes = None
    if "peephole" in directions[0]:
        peepholes = np.stack(
            [ordered(a["peephole"], _PEEPHOLES, _ONNX_PEEPHOLES).reshape(-1) for a in directions]
        )
    return OnnxArrays(W, R, stacked("bias_ih", "bias_hh"), peepholes)


def from_keras_arrays(kind: str, given: list[Array]) -> Arrays:
    """Return the weights of one direction in PyTorch's order.

    Parameters
    ----------
    kind
        rnn, lstm or gru.
    given
        Keras' kernel (I, G*H), recurrent kernel (H, G*H) and, if it has one, bias: (G*H,), or
        (2, G*H) of a GRU with ``reset_after``. A single bias becomes ``bias_ih``, and ``bias_hh``
        is zero, so that their sum is the same to the last bit.

    Raises
    ------
    DataError
        The shapes are not those of such a layer.
    """
    theirs, ours = _KERAS[kind], _OURS[kind]
    if len(given) not in (2, 3):
        raise DataError(f"a Keras {kind} has 2 or 3 arrays of weights, got {len(given)}")
    kernel, recurrent = given[0], given[1]
    gates, units = len(theirs), recurrent.shape[0]
    expected = [(kernel.shape[0], gates * units), (units, gates * units)]
    if [kernel.shape, recurrent.shape] != expected:
        raise DataError(
            f"a Keras {kind} of {units} units has a kernel and a recurrent kernel of shapes "
            f"{expected}, got {[kernel.shape, recurrent.shape]}"
        )
    arrays = {
        "weight_ih": _reordered(kernel.T, theirs, ours),
        "weight_hh": _reordered(recurrent.T, theirs, ours),
    }
    if len(given) == 3:
        bias = given[2] if given[2].ndim == 2 else np.stack([given[2], np.zeros_like(given[2])])
        if bias.shape != (2, gates * units) or (given[2].ndim == 2 and kind != "gru"):
            raise DataError(f"a Keras {kind} of {units} units has no bias of {given[2].shape}")
        arrays["bias_ih"] = _reordered(bias[0], theirs, ours)
        arrays["bias_hh"] = _reordered(bias[1], theirs, ours)
    return arrays


def to_keras_arrays(kind: str, given: Mapping[str, Array], two_biases: bool) -> list[Array]:
    """Return Keras' arrays of one direction.

    Parameters
    ----------
    kind
        rnn, lstm or gru.
    given
        Weights by PyTorch's names.
    two_biases
        Whether Keras keeps both biases apart: in a GRU with ``reset_after``. Elsewhere it has
        their sum, rounded once: the only place where a round trip may change a bit.
    """
    theirs, ours = _KERAS[kind], _OURS[kind]
    found = [_reordered(given[n], ours, theirs).T.copy() for n in ("weight_ih", "weight_hh")]
    if "bias_ih" in given:
        biases = [_reordered(given[n], ours, theirs) for n in ("bias_ih", "bias_hh")]
        if two_biases:
            found.append(np.stack(biases))
        else:
            # Only zeros are left out, so that a bias of minus zero stays what it is.
            found.append(biases[0] if not biases[1].any() else biases[0] + biases[1])
    return found
