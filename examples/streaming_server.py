"""A server that answers step by step, with a memory for every client.

    python examples/streaming_server.py --port 8765

Each connection is a stream. A client sends a line of numbers, and gets a line of numbers back at
once: what the model says after this step and all those before. Try it: `nc 127.0.0.1 8765`, then
type `[0.1, 0.2]`.
"""

import argparse
import asyncio
import json

import torch

from relembra import nn


class Model(torch.nn.Module):
    """An LSTM and a linear head; yours would be loaded from a file."""

    def __init__(self, features: int = 2, units: int = 64, outputs: int = 1) -> None:
        super().__init__()
        self.memory = nn.LSTM(features, units, batch_first=True)
        self.head = nn.Linear(units, outputs)

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer a whole sequence, (B, T, I): the same bits as step by step."""
        return self.head(self.memory(x)[0])


def read_step(line: bytes, features: int) -> torch.Tensor:
    """Return a step (1, I); clients may send anything."""
    values = json.loads(line)
    if not isinstance(values, list) or len(values) != features:
        raise ValueError(f"expected a list of {features} numbers")
    return torch.tensor([values], dtype=torch.float32)


async def serve_client(
    model: Model, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one client until it goes away."""
    state = model.memory.start()  # its memory: nobody else's steps reach it
    try:
        while line := await reader.readline():
            try:
                x = read_step(line, model.memory.input_size)
            except (ValueError, TypeError) as error:
                answer: object = {"error": str(error)}
            else:
                with torch.no_grad():
                    h, state = model.memory.step(x, state)
                    answer = model.head(h)[0].tolist()
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
    finally:
        writer.close()


async def start(model: Model, port: int) -> asyncio.Server:
    """Listen on this machine alone; port 0 takes a free one."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_client(model, reader, writer)

    return await asyncio.start_server(client, "127.0.0.1", port)


async def run(port: int) -> None:
    """Serve until interrupted."""
    torch.manual_seed(0)
    server = await start(Model(), port)
    print(f"listening on {server.sockets[0].getsockname()}")
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8765)
    try:
        asyncio.run(run(parser.parse_args().port))
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    main()
