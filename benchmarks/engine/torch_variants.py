"""The variants of the cells in plain torch operations, written as a user of PyTorch would.

The products with the input are one large product before the loop, the two biases are one, and a
step adds the recurrent product with one `addmm`. Parameters have our layers' names, so that a
`state_dict` fits both; masks of dropout and zoneout are drawn as ours are, so that from one seed
both compute the same. Time comes first, (T, B, I), which is the better layout for a loop.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Step = Callable[..., tuple[Tensor, ...]]


def dropout_mask(rate: float, *shape: int) -> Tensor:
    """0 or 1/(1-rate)."""
    return torch.empty(shape).bernoulli_(1.0 - rate) / (1.0 - rate)


class Loop(nn.Module):
    """What the loops share: the parameters of a layer of ours, by their names."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        for name, value in layer.named_parameters():
            self.register_parameter(name, nn.Parameter(value.detach().clone()))
        self.units = layer.hidden_size
        self.cell = layer.spec.cell

    def projected(self, x: Tensor) -> tuple[Tensor, ...]:
        """The products with the input, (B, G*H) for each step."""
        bias = self.bias_ih_l0 + self.bias_hh_l0
        return functional.linear(x, self.weight_ih_l0, bias).unbind(0)


class LSTMLoop(Loop):
    """LSTM with another activation, peepholes, a coupled gate or dropout of the state."""

    def __init__(self, layer: nn.Module, compiled: Callable[[Step], Step] | None = None) -> None:
        super().__init__(layer)
        self.act = {"tanh": torch.tanh, "relu": torch.relu}[layer.spec.cell.activation.name]
        self.step: Step = compiled(self._step) if compiled else self._step

    def _step(
        self, gx: Tensor, h: Tensor, c: Tensor, u: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        gates = torch.addmm(gx, h if mask is None else h * mask, u)
        peep = self.peephole_l0 if self.cell.peepholes else None
        if self.cell.coupled:
            i, g, o = gates.chunk(3, -1)
            i = torch.sigmoid(i)
            f = 1.0 - i
        else:
            i, f, g, o = gates.chunk(4, -1)
            if peep is not None:
                i, f = i + peep[0] * c, f + peep[1] * c
            i, f = torch.sigmoid(i), torch.sigmoid(f)
        c = f * c + i * self.act(g)
        if peep is not None:
            o = o + peep[2] * c
        return torch.sigmoid(o) * self.act(c), c

    def forward(self, x: Tensor) -> Tensor:
        """Return all outputs, (T, B, H)."""
        h = c = x.new_zeros(x.shape[1], self.units)
        rate = self.cell.recurrent_dropout
        mask = dropout_mask(rate, *h.shape) if rate and self.training else None
        u, outputs = self.weight_hh_l0.t(), []
        for gx in self.projected(x):
            h, c = self.step(gx, h, c, u, mask)
            outputs.append(h)
        return torch.stack(outputs)


class ZoneoutLoop(Loop):
    """LSTM whose units keep their old states at random (Krueger et al. 2017)."""

    def __init__(self, layer: nn.Module, compiled: Callable[[Step], Step] | None = None) -> None:
        super().__init__(layer)
        self.step: Step = compiled(self._step) if compiled else self._step

    def _step(
        self, gx: Tensor, h: Tensor, c: Tensor, u: Tensor, keep_h: Tensor, keep_c: Tensor
    ) -> tuple[Tensor, Tensor]:
        i, f, g, o = torch.addmm(gx, h, u).chunk(4, -1)
        new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        shown = torch.sigmoid(o) * torch.tanh(new)
        return torch.lerp(shown, h, keep_h), torch.lerp(new, c, keep_c)

    def _kept(self, rate: float, steps: int, rows: int) -> tuple[Tensor, ...]:
        if not self.training:
            return (self.weight_hh_l0.new_full((rows, self.units), rate),) * steps
        return self.weight_hh_l0.new_empty(rows, steps, self.units).bernoulli_(rate).unbind(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return all outputs, (T, B, H)."""
        h = c = x.new_zeros(x.shape[1], self.units)
        keep_h = self._kept(self.cell.zoneout_hidden, *x.shape[:2])
        keep_c = self._kept(self.cell.zoneout_cell, *x.shape[:2])
        u, outputs = self.weight_hh_l0.t(), []
        for t, gx in enumerate(self.projected(x)):
            h, c = self.step(gx, h, c, u, keep_h[t], keep_c[t])
            outputs.append(h)
        return torch.stack(outputs)


class NormedLoop(Loop):
    """LSTM with three layer normalisations (Ba et al. 2016)."""

    def __init__(self, layer: nn.Module, compiled: Callable[[Step], Step] | None = None) -> None:
        super().__init__(layer)
        self.step: Step = compiled(self._step) if compiled else self._step

    def _step(self, gx: Tensor, h: Tensor, c: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        size = (4 * self.units,)
        gates = gx + functional.layer_norm(h @ u, size, self.gain_hh_l0, self.bias_hh_l0)
        i, f, g, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        shown = functional.layer_norm(c, (self.units,), self.gain_c_l0, self.bias_c_l0)
        return torch.sigmoid(o) * torch.tanh(shown), c

    def forward(self, x: Tensor) -> Tensor:
        """Return all outputs, (T, B, H)."""
        h = c = x.new_zeros(x.shape[1], self.units)
        products = functional.linear(x, self.weight_ih_l0)
        size = (4 * self.units,)
        normed = functional.layer_norm(products, size, self.gain_ih_l0, self.bias_ih_l0)
        u, outputs = self.weight_hh_l0.t(), []
        for gx in normed.unbind(0):
            h, c = self.step(gx, h, c, u)
            outputs.append(h)
        return torch.stack(outputs)


class ResetBeforeLoop(Loop):
    """GRU whose reset gate acts before the product (Cho et al. 2014)."""

    def __init__(self, layer: nn.Module, compiled: Callable[[Step], Step] | None = None) -> None:
        super().__init__(layer)
        self.step: Step = compiled(self._step) if compiled else self._step

    def _step(self, gx: Tensor, h: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor]:
        gates, candidate = gx.split([2 * self.units, self.units], -1)
        r, z = torch.sigmoid(torch.addmm(gates, h, u)).chunk(2, -1)
        n = torch.tanh(torch.addmm(candidate, r * h, v))
        return (torch.lerp(n, h, z),)

    def forward(self, x: Tensor) -> Tensor:
        """Return all outputs, (T, B, H)."""
        h = x.new_zeros(x.shape[1], self.units)
        u, v = self.weight_hh_l0[: 2 * self.units].t(), self.weight_hh_l0[2 * self.units :].t()
        outputs = []
        for gx in self.projected(x):
            (h,) = self.step(gx, h, u, v)
            outputs.append(h)
        return torch.stack(outputs)
