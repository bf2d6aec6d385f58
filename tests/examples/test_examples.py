"""The examples run, and do what their words say."""

import asyncio
import difflib
import importlib.util
import json
import re
import sys

import pytest
import torch

import relembra


@pytest.fixture
def example(root):
    def load(name):
        spec = importlib.util.spec_from_file_location(
            f"example_{name}", root / f"examples/{name}.py"
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    return load


def test_the_list_is_complete(root):
    listed = re.findall(r"\((\w+\.py)\)", (root / "examples/README.md").read_text())
    assert sorted(listed) == sorted(p.name for p in (root / "examples").glob("*.py"))


def test_one_line_makes_the_difference(root, example, monkeypatch, capsys):
    before, after = (
        (root / f"examples/pytorch_{name}.py").read_text().splitlines()
        for name in ("before", "after")
    )
    code = [line for line in difflib.ndiff(before[5:], after[5:]) if line[0] in "+-"]
    assert code == [
        "+ ",
        "+ import relembra",
        "-     model = Tagger(2, 48)",
        "+     model = relembra.accelerate(Tagger(2, 48))",
    ]
    plain = example("pytorch_before").train(6)
    assert example("pytorch_after").train(6) == pytest.approx(plain, abs=1e-5)
    monkeypatch.setattr(sys, "argv", ["example", "--updates", "2"])
    example("pytorch_after").main()
    assert "ms an update" in capsys.readouterr().out


def test_resets_and_cuts_give_the_same_gradients(example):
    policy = example("recurrent_policy")
    torch.manual_seed(0)
    model = policy.Policy()
    rollout = policy.live(model, policy.Corridors(policy.ROWS, 0))
    assert rollout.began.sum() > 5 * policy.ROWS
    found = []
    for way in (policy.with_reset, policy.with_cuts):
        loss = policy.loss_of(way(model, rollout), rollout)
        found.append(torch.autograd.grad(loss, list(model.parameters())))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


def test_the_policy_learns_to_remember(example):
    _, shares = example("recurrent_policy").train(60)
    assert sum(shares[:5]) / 5 < 0.6  # at first it guesses
    assert sum(shares[-5:]) / 5 > 0.8


def test_the_policy_as_a_program(example, monkeypatch, capsys):
    policy = example("recurrent_policy")
    monkeypatch.setattr(sys, "argv", ["example", "--updates", "2"])
    monkeypatch.setattr(policy, "compare", lambda model, n, real=policy.compare: real(model, 2))
    policy.main()
    assert "times as fast" in capsys.readouterr().out


def test_every_client_has_a_memory_of_its_own(example):
    server_module = example("streaming_server")
    model = server_module.Model()
    x = torch.randn(2, 4, 2)

    async def talk():
        server = await server_module.start(model, 0)
        port = server.sockets[0].getsockname()[1]
        ends = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        answers = []
        for t in range(4):
            for row, (reader, writer) in enumerate(ends):
                writer.write(json.dumps(x[row, t].tolist()).encode() + b"\n")
                answers.append(json.loads(await reader.readline()))
        reader, writer = ends[0]
        writer.write(b"[1, 2, 3]\nnonsense\n")
        errors = [json.loads(await reader.readline()) for _ in range(2)]
        for _, writer in ends:
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return answers, errors

    answers, errors = asyncio.run(talk())
    found = torch.tensor(answers).view(4, 2, 1).transpose(0, 1)
    assert torch.equal(found, model(x))
    assert errors[0] == {"error": "expected a list of 2 numbers"} and "error" in errors[1]
    assert relembra.engine.explain(model.memory, x).path == "native"
