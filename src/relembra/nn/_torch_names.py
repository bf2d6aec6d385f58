"""PyTorch's names for what a layer's specification says."""

from __future__ import annotations

from torch import Tensor

from relembra.engine import StackSpec

__all__ = ["TorchNames"]


class TorchNames:
    """The attributes by which code written for `torch.nn.LSTM` asks a layer what it is."""

    spec: StackSpec

    @property
    def input_size(self) -> int:
        """I, the features of a step."""
        return self.spec.input_size

    @property
    def hidden_size(self) -> int:
        """H, the units of a layer and direction."""
        return self.spec.hidden_size

    @property
    def num_layers(self) -> int:
        """L."""
        return self.spec.num_layers

    @property
    def bidirectional(self) -> bool:
        """Whether there is a reverse direction."""
        return self.spec.bidirectional

    @property
    def bias(self) -> bool:
        """Whether there are biases."""
        return self.spec.bias

    @property
    def dropout(self) -> float:
        """Rate of the dropout between layers."""
        return self.spec.dropout

    @property
    def locked_dropout(self) -> bool:
        """Whether the dropout between layers has one mask for all steps."""
        return self.spec.locked_dropout

    @property
    def proj_size(self) -> int:
        """Size of the projected state, 0 for none."""
        return self.spec.cell.projection

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters, a list for each layer and direction."""
        return [
            [getattr(self, field + suffix) for field in self.spec.layer_shapes(0)]
            for suffix in self.spec.suffixes()
        ]

    def flatten_parameters(self) -> None:
        """Do nothing: there is no flat buffer. PyTorch's modules have this method."""
