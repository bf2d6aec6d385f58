"""`relembra evaluate`: a saved model on labelled data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from relembra.cli._options import (
    Force,
    Json,
    LabelColumn,
    Part,
    Quiet,
    TextColumn,
    Threads,
    refuse_options,
)
from relembra.cli._output import Terminal, set_threads

__all__ = ["EvaluateRequest", "evaluate"]


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.safetensors file.")],
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA", help="Data with the true answers, never trained on; texts may be many."
        ),
    ],
    text: TextColumn = None,
    label: LabelColumn = None,
    part: Part = None,
    train: Annotated[
        list[Path] | None,
        typer.Option(help="What the model learnt from, for the baselines beside it."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for the report [default: a fresh runs/evaluate-DATA-N]; none is written "
            "for a language model.",
        ),
    ] = None,
    force: Force = False,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score a saved model on data that it never saw.

    Examples: `relembra evaluate runs/classify-reviews-1/model.safetensors later-reviews.csv`,
    `relembra evaluate runs/tag-towns-1/model.safetensors new.conll --train towns.conll`,
    `relembra evaluate runs/generate-novels-1/model.safetensors new.txt --train novels.txt`
    """
    from relembra._errors import ConfigError
    from relembra.artifact import load_model

    set_threads(threads)
    request = EvaluateRequest(
        model,
        tuple(data),
        {"text": text, "label": label, "part": part, "train": train or None, "out": out},
        force,
        Terminal(quiet=quiet, as_json=as_json),
    )
    job = load_model(model).job
    if job not in _JOBS:
        raise ConfigError(f"{model} is a model for {job!r}; evaluate knows {', '.join(_JOBS)}")
    run, options = _JOBS[job]
    request.check(job, options)
    run(request)


@dataclass(frozen=True)
class EvaluateRequest:
    """What `relembra evaluate` was asked for."""

    model: Path
    files: tuple[Path, ...]
    options: dict[str, Any]
    force: bool
    terminal: Terminal

    def check(self, job: str, known: frozenset[str]) -> None:
        """Refuse options that mean nothing to a job, and files that it cannot take together."""
        from relembra._errors import ConfigError

        refuse_options(job, self.options, known)
        for what, given in (
            ("scored on", self.files),
            ("compared by", self.options["train"] or ()),
        ):
            if len(given) > 1 and job != "generate":
                raise ConfigError(f"a model for {job!r} is {what} one file, got {len(given)}")

    @property
    def data(self) -> Path:
        """The one file."""
        return self.files[0]

    @property
    def train(self) -> Path | None:
        """The one file that the model learnt from, where it was named."""
        given: list[Path] | None = self.options["train"]
        return given[0] if given else None

    @property
    def text(self) -> str | None:
        """The column of the text."""
        return self._named("text")

    @property
    def label(self) -> str | None:
        """The column of the label."""
        return self._named("label")

    @property
    def part(self) -> str | None:
        """The part of a file that holds several."""
        return self._named("part")

    @property
    def out(self) -> Path | None:
        """The folder for the report."""
        found: Path | None = self.options["out"]
        return found

    def _named(self, name: str) -> str | None:
        found: str | None = self.options[name]
        return found


def _classify(request: EvaluateRequest) -> None:
    from relembra.cli._evaluate_classify import evaluate_classify

    evaluate_classify(request)


def _tag(request: EvaluateRequest) -> None:
    from relembra.cli._evaluate_tag import evaluate_tag

    evaluate_tag(request)


def _generate(request: EvaluateRequest) -> None:
    from relembra.cli._evaluate_generate import evaluate_generate

    evaluate_generate(request.model, request.files, request.options["train"], request.terminal)


_LABELLED = frozenset({"text", "label", "part", "train", "out"})
# Which function scores a model of which job, and the options that mean something to it.
_JOBS: dict[str, tuple[Callable[[EvaluateRequest], None], frozenset[str]]] = {
    "classify": (_classify, _LABELLED),
    "generate": (_generate, frozenset({"train"})),
    "tag": (_tag, _LABELLED),
}
