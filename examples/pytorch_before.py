"""Tag every step of a sequence: does the sum so far exceed zero? Plain PyTorch.

python examples/pytorch_before.py
"""

import argparse
import time

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Tagger(nn.Module):
    """Two bidirectional layers over packed sequences, and a label for each step."""

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(features, units, 2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * units, 1)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return a logit for each step, (B, T)."""
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, _ = self.recurrent(packed)
        padded, _ = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])
        return self.head(padded).squeeze(-1)


def batch(rows: int, steps: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw sequences, their lengths and their labels."""
    x = torch.randn(rows, steps, 2)  # (B, T, 2)
    lengths = torch.randint(1, steps + 1, (rows,))
    return x, lengths, (x[..., 0].cumsum(1) > 0).float()


def train(updates: int, rows: int = 32, steps: int = 40) -> list[float]:
    """Train, and return the losses."""
    torch.manual_seed(0)
    model = Tagger(2, 48)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    losses = []
    for _ in range(updates):
        x, lengths, labels = batch(rows, steps)
        inside = torch.arange(steps) < lengths[:, None]
        loss = nn.functional.binary_cross_entropy_with_logits(
            model(x, lengths)[inside], labels[inside]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main() -> None:
    """Train, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=100)
    updates = parser.parse_args().updates
    begin = time.perf_counter()
    losses = train(updates)
    each = (time.perf_counter() - begin) / updates
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}, {each * 1e3:.1f} ms an update")


if __name__ == "__main__":
    main()
