"""Which path computes a call, and why: explicit and visible, never a silent fallback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from relembra._errors import ConfigError
from relembra.engine._functional import is_functional
from relembra.engine._native_path import run_native
from relembra.engine._native_refusal import in_graph, native_refusal
from relembra.engine._reference import run_reference
from relembra.engine._request import Recurrence, Request
from relembra.engine._torch_path import run_torch, torch_refusal

__all__ = ["PATHS", "Choice", "PathName", "choose", "run"]

PathName = Literal["auto", "native", "torch", "reference"]

PATHS: dict[str, Callable[[Request], Recurrence]] = {
    "native": run_native,
    "torch": run_torch,
    "reference": run_reference,
}
"""The paths by name, fastest first."""

_REFUSALS = {"native": native_refusal, "torch": torch_refusal}


@dataclass(frozen=True)
class Choice:
    """The path that a call takes.

    Parameters
    ----------
    path
        Its name.
    reason
        Why this one.
    slow
        True when faster paths exist and none of them can compute the call.
    """

    path: str
    reason: str
    slow: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def choose(request: Request, path: PathName = "auto") -> Choice:
    """Choose the path of a request.

    Raises
    ------
    ConfigError
        The path that was asked for does not exist, or cannot compute the request; or `recompute`
        is asked for where no path can do it.
    """
    if request.segment() and (is_functional() or in_graph(request)):
        raise ConfigError(
            f"recompute={request.recompute} does not go through torch.compile, torch.export or "
            "torch.func: call the layer outside of them, or set its recompute to False"
        )
    if path == "auto":
        return _fastest(request)
    if path == "reference":
        return Choice("reference", "asked for")
    if path not in _REFUSALS:
        raise ConfigError(f"unknown path {path!r}; known: auto, {', '.join(PATHS)}")
    if refusal := _REFUSALS[path](request):
        raise ConfigError(f"the {path} path cannot compute this: {refusal}; use path='auto'")
    return Choice(path, "asked for")


def _fastest(request: Request) -> Choice:
    not_native = native_refusal(request)
    if not_native is None:
        return Choice("native", "our own kernels can compute it")
    if refusal := torch_refusal(request):
        # On empty input no path is faster than another.
        reason = f"{not_native}; {refusal}"
        return Choice("reference", reason, slow=request.x.numel() > 0)
    where = "cuDNN" if request.x.is_cuda else "PyTorch's CPU kernels"
    return Choice("torch", f"{where} can compute it ({not_native})")


def run(request: Request, path: str) -> Recurrence:
    """Compute a request on a path chosen before."""
    return PATHS[path](request)
