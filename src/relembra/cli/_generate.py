"""`relembra generate`: a language model writes, or says what comes next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from relembra.cli._options import Json, Quiet, Seed, Threads
from relembra.cli._output import Terminal, set_threads

__all__ = ["generate"]

_MOST = 12  # rows of the table of what comes next


def generate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.safetensors file.")],
    prompt: Annotated[str, typer.Option(help="What to go on from.")] = "",
    length: Annotated[int, typer.Option(min=0, help="Most tokens to write.")] = 500,
    temperature: Annotated[
        float, typer.Option(min=0, help="0 always takes the likeliest token.")
    ] = 0.8,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Choose among so many likely tokens.")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Choose among tokens of this probability together.")
    ] = None,
    repetition_penalty: Annotated[
        float, typer.Option(help="Above 1, what was just written becomes less likely.")
    ] = 1.0,
    stop: Annotated[
        list[str] | None, typer.Option(help="Text that ends the writing (repeat for more).")
    ] = None,
    next_after: Annotated[
        str | None,
        typer.Option("--next", help="Write nothing, but say what comes after this text."),
    ] = None,
    seed: Seed = 0,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write on after a prompt, as it is made; or say what comes next.

    Examples: `relembra generate model.safetensors --prompt "To be"`,
    `relembra generate model.safetensors --next q`
    """
    from relembra.tasks import LanguageModel

    set_threads(threads)
    loaded = LanguageModel.load(model)
    terminal = Terminal(quiet=quiet, as_json=as_json)
    if next_after is not None:
        _show_next(terminal, loaded, next_after)
        return
    pieces = loaded.generate(
        prompt,
        length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        seed=seed,
        stop=stop or (),
    )
    if as_json:
        terminal.result({"job": "generate", "prompt": prompt, "text": "".join(pieces)})
        return
    sys.stdout.write(prompt)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def _show_next(terminal: Terminal, model: Any, context: str) -> None:
    table = model.next_table(context, most=_MOST)
    rows = [[repr(token), f"{chance:.4f}"] for token, chance in table.items()]
    terminal.table(f"After {context!r} comes", ["token", "probability"], rows)
    terminal.result({"job": "generate", "context": context, "next": table})
