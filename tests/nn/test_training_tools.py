"""Torch's tools for training and our layers: optimizers, clipping, norms, several processes."""

import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn as torch_nn
from torch.nn.utils import clip_grad_norm_, parametrizations

from relembra import nn

KINDS = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
X = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def pair(kind):
    """Torch's layer and ours with the same weights."""
    torch.manual_seed(1)
    theirs = getattr(torch_nn, kind)(3, 5, 2, batch_first=True, dtype=torch.float64)
    ours = getattr(nn, kind)(3, 5, 2, batch_first=True, dtype=torch.float64, path="native")
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def train(layer, make, steps=3):
    optimizer = make(layer.parameters())
    norms = []
    for _ in range(steps):
        optimizer.zero_grad()
        layer(X)[0].square().sum().backward()
        norms.append(clip_grad_norm_(layer.parameters(), 0.5))
        optimizer.step()
    return [*norms, *layer.parameters()]


@KINDS
@pytest.mark.parametrize("way", ["foreach", "fused"])
@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_optimizers_and_clipping(kind, way, optimizer):
    """Weights and norms of the gradients go the way of torch's own layer."""
    ours, theirs = (
        train(layer, lambda p: optimizer(p, lr=0.05, **{way: True})) for layer in pair(kind)
    )
    for got, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)


@KINDS
@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_parametrized_weights_train(kind, norm):
    """Against the reference path, which computes with plain operations."""
    ours, _ = pair(kind)
    for name in ("weight_hh_l0", "weight_ih_l1"):
        norm(ours, name)
    other = copy.deepcopy(ours)
    other.path = "reference"
    results = []
    for layer in (ours, other):
        results.append(train(layer, lambda p: torch.optim.SGD(p, lr=0.1)))
        results[-1].append(layer.eval()(X)[0])  # with the weights as they are now
    for got, wanted in zip(*results, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)
    assert (ours.last_path, other.last_path) == ("native", "reference")


WORKER = """
import os, sys
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from relembra import nn

rank, meeting = int(sys.argv[1]), "file://" + sys.argv[2]
distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
torch.set_num_threads(1)
x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
for kind in (nn.LSTM, nn.GRU, nn.RNN):
    torch.manual_seed(rank)  # other weights on each: those of the first count
    layer = kind(3, 5, 2, batch_first=True, dtype=torch.float64)
    parallel = DistributedDataParallel(layer)
    alone = kind(3, 5, 2, batch_first=True, dtype=torch.float64)
    alone.load_state_dict(layer.state_dict())
    for one, rows in ((parallel, x[2 * rank : 2 * rank + 2]), (alone, x)):
        optimizer = torch.optim.Adam(one.parameters(), lr=0.05, foreach=True)
        for _ in range(2):
            optimizer.zero_grad()
            one(rows)[0].square().mean().backward()
            optimizer.step()
    assert layer.last_path == "native", layer.last_path
    for a, b in zip(layer.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
del parallel, one  # what holds the group goes before it
distributed.destroy_process_group()
print("agreed")
"""


def test_two_processes_train_as_one(tmp_path):
    """DistributedDataParallel over gloo: halves of a batch give what the whole gives."""
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(rank), str(tmp_path / "meeting")],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        for worker in workers:
            said, complaint = worker.communicate(timeout=120)
            assert (worker.returncode, said) == (0, "agreed\n"), complaint
    finally:
        for worker in workers:
            worker.kill()
