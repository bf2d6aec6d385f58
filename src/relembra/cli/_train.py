"""`relembra train JOB DATA`: the jobs that are trained, one command each."""

from __future__ import annotations

import typer

from relembra.cli._train_classify import classify
from relembra.cli._train_generate import train_generate
from relembra.cli._train_tag import tag

__all__ = ["train_app"]


_HELP = """Train a model, and say honestly how good it is.

Examples: `relembra train classify reviews.csv`, `relembra train tag towns.conll`,
`relembra train generate novels/*.txt`. For series there is `relembra forecast sales.csv`.
"""


def train_app() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    app.command()(classify)
    app.command()(tag)
    app.command("generate")(train_generate)
    return app
