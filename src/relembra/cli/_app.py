"""The commands of `relembra`, one grammar: VERB [JOB] DATA [options]."""

from __future__ import annotations

from typing import Any

import typer

from relembra.cli._chat import chat
from relembra.cli._demo import demo
from relembra.cli._doctor import doctor
from relembra.cli._evaluate import evaluate
from relembra.cli._forecast import forecast
from relembra.cli._generate import generate
from relembra.cli._predict import predict
from relembra.cli._reproduce import reproduce
from relembra.cli._train import train_app
from relembra.cli._tune import tune_app

__all__ = ["command"]


def command() -> Any:
    """Return the command line as a click command."""
    app = typer.Typer(
        help="Recurrent networks that forecast, and show what they remember.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_main)
    app.command()(forecast)
    app.add_typer(train_app(), name="train")
    app.add_typer(tune_app(), name="tune")
    for verb in (predict, evaluate, generate, chat, demo, doctor, reproduce):
        app.command()(verb)
    return typer.main.get_command(app)


def _version(wanted: bool) -> None:
    if wanted:
        import relembra

        print(relembra.__version__)
        raise typer.Exit


def _main(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass
