"""`relembra train JOB`: the jobs that a model is trained for."""

from __future__ import annotations

import typer

from relembra.cli._train_generate import train_generate

__all__ = ["train"]

_JOBS = {"generate": train_generate}


def train() -> typer.Typer:
    """Return the group of commands, one a job."""
    group = typer.Typer(help="Train a model: one command a job.", no_args_is_help=True)
    for name, command in _JOBS.items():
        group.command(name)(command)
    return group
