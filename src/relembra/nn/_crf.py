"""A linear chain over labels: conditional random field."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from relembra._errors import ConfigError, DataError
from relembra.nn._crf_sums import Chain, log_total, sums
from relembra.nn._viterbi import best_path

__all__ = ["LinearChainCRF"]


class LinearChainCRF(nn.Module):
    r"""Score whole sequences of labels, so that neighbouring labels fit each other.

    A path y has the score

    .. math:: s(y) = b_{y_1} + \sum_t e_{t, y_t} + \sum_{t>1} A_{y_{t-1}, y_t} + f_{y_T}

    and the probability :math:`\exp s(y) / \sum_{y'} \exp s(y')` (Lafferty, McCallum & Pereira 2001;
    on the outputs of an LSTM: Huang, Xu & Yu 2015, equation 3). The emissions e come from a linear
    map of the trunk's output; A, b and f are learned here. The sums over all paths are computed in
    float64.

    Parameters
    ----------
    labels
        K.
    allowed
        (K + 1, K + 1) of bool: whether label i may be followed by label j. The last row says which
        labels may begin a sequence, the last column which may end one. Paths that break a rule have
        probability 0. None allows all. `relembra.evaluation.allowed_transitions` makes it of BIO
        and BIOES tags.

    Raises
    ------
    ConfigError
        `allowed` has another shape, or lets no label begin or end.

    Examples
    --------
    >>> crf = LinearChainCRF(3)
    >>> emissions, lengths = torch.randn(2, 4, 3), torch.tensor([4, 2])
    >>> tags, score = crf.decode(emissions, lengths)
    >>> tags.shape, score.shape
    (torch.Size([2, 4]), torch.Size([2]))
    >>> crf.log_likelihood(emissions, tags, lengths).exp() <= 1
    tensor([True, True])
    """

    forbidden: Tensor | None  # (K + 1, K + 1)

    def __init__(self, labels: int, allowed: Tensor | None = None) -> None:
        super().__init__()
        self.labels = labels
        if allowed is not None:
            allowed = torch.as_tensor(allowed, dtype=torch.bool)
            if tuple(allowed.shape) != (labels + 1, labels + 1):
                raise ConfigError(
                    f"allowed has shape {tuple(allowed.shape)}, "
                    f"expected {(labels + 1, labels + 1)}: labels, and begin or end"
                )
            if not allowed[-1, :-1].any() or not allowed[:-1, -1].any():
                raise ConfigError("allowed lets no label begin a sequence, or none end it")
        self.register_buffer("forbidden", None if allowed is None else ~allowed)
        self.transitions = nn.Parameter(torch.empty(labels, labels))  # from, to
        self.begins = nn.Parameter(torch.empty(labels))
        self.ends = nn.Parameter(torch.empty(labels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters, uniform in ±0.1."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1)

    def forward(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return `log_likelihood`."""
        return self.log_likelihood(emissions, tags, lengths)

    def log_likelihood(
        self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        """Return the logarithm of the probability of given paths.

        Parameters
        ----------
        emissions
            (B, T, K)
        tags
            (B, T), labels from 0 to K - 1; beyond a row's length they do not matter.
        lengths
            (B,); all steps when None.

        Returns
        -------
        Tensor
            (B,) in nats, at most 0; 0 for a row of length 0.

        Raises
        ------
        DataError
            Shapes do not fit; a tag is no label, or a path breaks a rule: row and step are named.
        """
        lengths = self._check(emissions, lengths)
        if not emissions.shape[1]:
            return emissions.sum((1, 2))
        chain = self._chain(emissions.double(), lengths)
        inside = chain.inside[..., 0]  # (T, B)
        tags = self._checked_tags(tags, emissions, inside).T  # (T, B), 0 beyond the length
        score = chain.emissions.gather(2, tags[..., None])[..., 0]
        score = torch.where(inside, score, 0.0)
        between = torch.where(inside[1:], chain.transitions[tags[:-1], tags[1:]], 0.0)
        last = tags.gather(0, (lengths - 1).clamp(min=0)[None])[0]
        edges = torch.where(lengths > 0, chain.begins[tags[0]] + chain.ends[last], 0.0)
        total = score.sum(0) + between.sum(0) + edges
        self._check_scores(total, tags, chain)
        return (total - log_total(chain)).to(emissions.dtype)

    @torch.no_grad()
    def decode(self, emissions: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the best path of each row (Viterbi 1967).

        It is computed by additions and comparisons alone: a row's result has the same bits in any
        batch and padding.

        Parameters
        ----------
        emissions
            (B, T, K)
        lengths
            (B,); all steps when None.

        Returns
        -------
        tags
            (B, T), 0 beyond a row's length.
        score
            (B,), the path's score s(y); `log_likelihood` of the tags gives its probability.

        Raises
        ------
        DataError
            Shapes do not fit, or the rules allow no path of a row's length.
        """
        lengths = self._check(emissions, lengths)
        if not emissions.shape[1]:
            return lengths.new_zeros(emissions.shape[:2]), emissions.sum((1, 2))
        tags, score = best_path(self._chain(emissions, lengths))
        if score.isneginf().any():
            self._refuse_lengths(score, lengths)
        return tags, score

    @torch.no_grad()
    def marginals(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the probability of each label at each step, over all paths.

        Parameters
        ----------
        emissions
            (B, T, K)
        lengths
            (B,); all steps when None.

        Returns
        -------
        Tensor
            (B, T, K); a step's sum to 1, and are 0 beyond a row's length.

        Raises
        ------
        DataError
            Shapes do not fit, or the rules allow no path of a row's length.
        """
        lengths = self._check(emissions, lengths)
        if not emissions.shape[1]:
            return torch.zeros_like(emissions)
        found = sums(self._chain(emissions.double(), lengths))
        if found.log_total.isneginf().any():
            self._refuse_lengths(found.log_total, lengths)
        labels = found.expected(torch.ones_like(found.log_total)).labels
        return labels.transpose(0, 1).to(emissions.dtype)

    def _chain(self, emissions: Tensor, lengths: Tensor) -> Chain:
        """Return the scores in the emissions' type, what is forbidden at -inf."""
        dtype = emissions.dtype
        between, begins, ends = (p.to(dtype) for p in (self.transitions, self.begins, self.ends))
        if self.forbidden is not None:
            between = between.masked_fill(self.forbidden[:-1, :-1], -torch.inf)
            begins = begins.masked_fill(self.forbidden[-1, :-1], -torch.inf)
            ends = ends.masked_fill(self.forbidden[:-1, -1], -torch.inf)
        return Chain(emissions.transpose(0, 1).contiguous(), between, begins, ends, lengths)

    def _check(self, emissions: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the lengths, where the emissions are."""
        if emissions.dim() != 3 or emissions.shape[2] != self.labels:
            raise DataError(
                f"emissions have shape {tuple(emissions.shape)}, expected (B, T, {self.labels})"
            )
        rows, steps = emissions.shape[:2]
        if lengths is None:
            return torch.full((rows,), steps, device=emissions.device)
        if tuple(lengths.shape) != (rows,):
            raise DataError(f"lengths have shape {tuple(lengths.shape)}, expected ({rows},)")
        if rows and not 0 <= int(lengths.min()) <= int(lengths.max()) <= steps:
            raise DataError(f"lengths must lie between 0 and {steps}, got {lengths.tolist()}")
        return lengths.to(emissions.device)

    def _checked_tags(self, tags: Tensor, emissions: Tensor, inside: Tensor) -> Tensor:
        if tags.shape != emissions.shape[:2]:
            raise DataError(
                f"tags have shape {tuple(tags.shape)}, expected {tuple(emissions.shape[:2])}"
            )
        tags = torch.where(inside.T, tags.to(emissions.device), 0)
        wrong = (tags < 0) | (tags >= self.labels)
        if wrong.any():
            row, step = wrong.nonzero()[0].tolist()
            raise DataError(
                f"row {row} has the tag {int(tags[row, step])} at step {step}, "
                f"expected 0 to {self.labels - 1}"
            )
        return tags

    def _check_scores(self, scores: Tensor, tags: Tensor, chain: Chain) -> None:
        """Raise DataError for a path that breaks a rule; `tags` are (T, B)."""
        if self.forbidden is None or not scores.isneginf().any():
            return
        row = int(scores.isneginf().nonzero()[0])
        path = [self.labels, *tags[: int(chain.lengths[row]), row].tolist(), self.labels]
        for step, (old, new) in enumerate(zip(path[:-1], path[1:], strict=True)):
            if self.forbidden[old, new]:
                names = ["the edge" if i == self.labels else f"label {i}" for i in (old, new)]
                raise DataError(
                    f"row {row} goes from {names[0]} to {names[1]} at step {step}, "
                    "which is not allowed; repair the tags first, or allow it"
                )

    def _refuse_lengths(self, scores: Tensor, lengths: Tensor) -> None:
        row = int(scores.isneginf().nonzero()[0])
        raise DataError(
            f"row {row} has {int(lengths[row])} steps, and no path of that length is allowed"
        )

    def extra_repr(self) -> str:
        """Return the number of labels."""
        return f"{self.labels}"
