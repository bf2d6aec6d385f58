"""`relembra chat`: a dialogue with a language model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from relembra.cli._options import Json, Quiet, Seed, Threads
from relembra.cli._output import Terminal, set_threads

__all__ = ["chat"]


def chat(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.safetensors file.")],
    you: Annotated[
        str | None, typer.Option(help="Marker of your turns, as 'User:' [default: found out].")
    ] = None,
    other: Annotated[
        str | None, typer.Option(help="Marker of the model's turns [default: found out].")
    ] = None,
    length: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 300,
    temperature: Annotated[
        float, typer.Option(min=0, help="0 always takes the likeliest token.")
    ] = 0.5,
    top_p: Annotated[
        float, typer.Option(help="Choose among tokens of this probability together.")
    ] = 0.9,
    seed: Seed = 0,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Talk with a model that learnt from a dialogue, one line a turn; an empty line ends it.

    The text it learnt from has turns such as `User: hello` and `System: hi`, each on a line. It
    answers in that manner, and knows nothing besides.

    Examples: `relembra chat model.safetensors`, `echo hello | relembra chat model.safetensors`
    """
    from relembra.tasks import LanguageModel
    from relembra.tasks.generate import Dialogue

    set_threads(threads)
    terminal = Terminal(quiet=quiet, as_json=as_json)
    dialogue = Dialogue(
        LanguageModel.load(model),
        you,
        other,
        length=length,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
    )
    terminal.say(f"You are {dialogue.you} The model is {dialogue.other} An empty line ends it.")
    turns = []
    while line := _next_line(dialogue.you, as_json or quiet):
        answer = []
        for piece in dialogue.say(line):
            answer.append(piece)
            _write("" if as_json else piece)
        _write("" if as_json else "\n")
        turns.append({"you": line, "answer": "".join(answer)})
    terminal.result({"job": "generate", "turns": turns})


def _next_line(marker: str, silent: bool) -> str:
    """Return what was typed, or nothing at the end."""
    if sys.stdin.isatty() and not silent:
        _write(f"{marker} ")
    return sys.stdin.readline().strip()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
