"""Weights packed once for many calls of the native core, without gradients.

Packed weights are kept beside the parameters that they were made of, as long as those live. A
parameter that was written to is packed again: its version tells most writes, and a fingerprint
of its content, taken at the speed of reading, tells those through ``.data`` that no version shows.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["kept"]


class _Kept(NamedTuple):
    """What was packed, and of what."""

    purpose: object
    tensors: tuple[weakref.ref[Tensor] | None, ...]
    versions: list[int]
    addresses: list[int]
    packed: Any


_keeping: dict[int, _Kept] = {}  # by the identity of the first tensor


def kept(
    tensors: Sequence[Tensor | None], purpose: object, pack: Callable[[list[int]], Any]
) -> Any | None:
    """Return the packed form of some parameters, made now or before.

    Parameters
    ----------
    tensors
        The first is never None.
    purpose
        What the packed form is for, compared by identity.
    pack
        Makes it from the tensors' addresses. The result has a method ``matches``, which says
        whether memory at these addresses still holds what was packed.

    Returns
    -------
    object
        None when the tensors cannot be kept track of: one is no parameter that somebody holds
        (parametrizations and weight norm compute theirs anew for each call), has no version
        (inference tensors), or its values do not lie side by side.
    """
    addresses, versions = [], []
    for tensor in tensors:
        if tensor is None:
            addresses.append(0)
            continue
        if (
            type(tensor) is not torch.nn.Parameter
            or tensor.is_inference()
            or not tensor.is_contiguous()
        ):
            return None
        addresses.append(tensor.data_ptr())
        versions.append(tensor._version)
    first = tensors[0]
    entry = _keeping.get(id(first))
    if (
        entry is not None
        and entry.purpose is purpose
        and entry.addresses == addresses
        and entry.versions == versions
        and _are(entry.tensors, tensors)
        and entry.packed.matches(addresses)
    ):
        return entry.packed
    packed = pack(addresses)
    key = id(first)

    def forget(gone: weakref.ref[Tensor]) -> None:
        # Another tensor may have taken the identity of the one that is gone.
        now = _keeping.get(key)
        if now is not None and any(gone is reference for reference in now.tensors):
            del _keeping[key]

    references = tuple(None if t is None else weakref.ref(t, forget) for t in tensors)
    _keeping[key] = _Kept(purpose, references, versions, addresses, packed)
    return packed


def _are(
    references: tuple[weakref.ref[Tensor] | None, ...], tensors: Sequence[Tensor | None]
) -> bool:
    for reference, tensor in zip(references, tensors, strict=True):
        if (None if reference is None else reference()) is not tensor:
            return False
    return True
