"""What stands before a trunk: each step learns of its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from relembra._errors import ConfigError, DataError
from relembra.nn._linear import Linear
from relembra.nn._locked_dropout import check_rate

__all__ = ["Convolutions", "StepNorm"]


class StepNorm(nn.Module):
    """Batch normalisation of the features of steps, in which padding does not count.

    In training each feature is standardised over the real steps of the batch; in inference by the
    running mean and variance, so that a step's bits depend on that step alone. Source: Ioffe &
    Szegedy, "Batch normalization" (2015), algorithms 1 and 2.

    Parameters
    ----------
    features
        F

    Examples
    --------
    >>> norm, inside = StepNorm(1), torch.tensor([[True, True, False]])
    >>> norm(torch.tensor([[[1.0], [3.0], [9.0]]]), inside).flatten().tolist()
    [-0.99..., 0.99..., 0.0]
    """

    epsilon = 1e-5
    slowest = 0.02  # of the running averages' rates; the first batches count alike

    mean: Tensor
    variance: Tensor
    batches: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        """Map (B, T, F) to the same shape, zero where `inside` (B, T) is False."""
        if not self.training:
            return torch.where(inside[..., None], self.running(x), 0.0)
        steps = x[inside]  # (N, F)
        if len(steps) < 2:  # nothing to standardise by
            return torch.where(inside[..., None], self.running(x), 0.0)
        self.batches += 1
        rate = max(self.slowest, 1 / float(self.batches))
        steps = functional.batch_norm(
            steps, self.mean, self.variance, self.weight, self.bias,
            training=True, momentum=rate, eps=self.epsilon,
        )  # fmt: skip
        return torch.zeros_like(x).masked_scatter(inside[..., None], steps)

    def running(self, x: Tensor) -> Tensor:
        """Map (…, F) by the running mean and variance."""
        scale = self.weight * torch.rsqrt(self.variance + self.epsilon)
        return (x - self.mean) * scale + self.bias


class Convolutions(nn.Module):
    """Let each step see its neighbours: convolutions over the steps of sequences.

    Each layer is a convolution, `StepNorm`, a rectifier and dropout. A trunk that reads what they
    found need not find shapes and motifs step by step, and learns from fewer examples. Sources:
    Wang, Yan & Oates, "Time series classification from scratch with deep neural networks" (2017)
    for the layer; Sainath et al., "Convolutional, long short-term memory, fully connected deep
    neural networks" (2015) for its place before an LSTM.

    In inference a row has the same bits in any batch and padding, and step by step (`step`).

    Parameters
    ----------
    features
        I, of a step.
    maps
        M, features that each layer makes.
    window
        Steps that a layer sees.
    layers
        How many.
    dropout
        Rate behind each layer.
    causal
        Whether the window ends at its step, for streams, rather than having it in the middle.

    Raises
    ------
    ConfigError
        A number is less than 1, or the rate is none.

    Examples
    --------
    >>> front = Convolutions(3, 8, window=5, causal=True).eval()
    >>> x = torch.randn(1, 6, 3)
    >>> with torch.no_grad():
    ...     whole, state = front(x, torch.tensor([6])), front.start(1)
    ...     for t in range(6):
    ...         y, state = front.step(x[:, t], state)
    >>> torch.equal(y, whole[:, 5])
    True
    """

    def __init__(
        self,
        features: int,
        maps: int,
        *,
        window: int = 9,
        layers: int = 1,
        dropout: float = 0.0,
        causal: bool = False,
    ) -> None:
        super().__init__()
        for name, value in {"maps": maps, "window": window, "layers": layers}.items():
            if type(value) is not int or value < 1:
                raise ConfigError(f"{name} is {value!r}; expected a whole number of 1 or more")
        check_rate("dropout", dropout)
        self.window, self.causal, self.output_size = window, causal, maps
        self.sizes = [features, *[maps] * (layers - 1)]  # that each layer reads
        self.taps = nn.ModuleList(Linear(window * size, maps, bias=False) for size in self.sizes)
        self.norms = nn.ModuleList(StepNorm(maps) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map (B, T, I) to (B, T, M).

        Parameters
        ----------
        x
            What stands beyond a row's length does not matter.
        lengths
            (B,); all steps when None.

        Returns
        -------
        Tensor
            Zero beyond a row's length.

        Raises
        ------
        DataError
            The input is not (B, T, I), or there is not a length for each row.
        """
        if x.dim() != 3 or x.shape[2] != self.sizes[0]:
            raise DataError(f"input has shape {tuple(x.shape)}, expected (B, T, {self.sizes[0]})")
        rows, steps = x.shape[:2]
        if lengths is not None and lengths.shape != (rows,):
            raise DataError(f"lengths have shape {tuple(lengths.shape)}, expected ({rows},)")
        if not steps:
            return x.new_zeros(rows, 0, self.output_size)
        if lengths is None:
            lengths = torch.full((rows,), steps)
        inside = torch.arange(steps, device=x.device) < lengths.to(x.device)[:, None]  # (B, T)
        x = torch.where(inside[..., None], x, 0.0)
        before = self.window - 1 if self.causal else (self.window - 1) // 2
        for taps, norm in zip(self.taps, self.norms, strict=True):
            wide = functional.pad(x, (0, 0, before, self.window - 1 - before))
            seen = wide.unfold(1, self.window, 1).flatten(2)  # (B, T, I window)
            x = self.dropout(torch.relu(norm(taps(seen), inside)))
        return x

    def start(self, rows: int) -> list[Tensor]:
        """Return the state of `rows` sequences of which nothing was seen: the last windows.

        Raises
        ------
        ConfigError
            The convolutions are not causal.
        """
        if not self.causal:
            raise ConfigError(
                "these convolutions see the steps that follow, so they cannot be streamed; make "
                "them with causal=True"
            )
        like = next(self.parameters())
        return [like.new_zeros(rows, size, self.window) for size in self.sizes]

    def step(self, x: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Map (B, I) to (B, M), in eval mode, and return the state behind the step.

        Raises
        ------
        DataError
            The input has another number of features.
        """
        if x.dim() != 2 or x.shape[1] != state[0].shape[1]:
            raise DataError(f"input has shape {tuple(x.shape)}, expected (B, {state[0].shape[1]})")
        new = []
        for taps, norm, seen in zip(self.taps, self.norms, state, strict=True):
            new.append(torch.cat([seen[:, :, 1:], x[:, :, None]], 2))
            x = torch.relu(norm.running(taps(new[-1].flatten(1))))  # type: ignore[operator]
        return x, new

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"window={self.window}" + ", causal=True" * self.causal
