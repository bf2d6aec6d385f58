"""`relembra train classify`: from labelled sequences to a model and a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from relembra._config import replace
from relembra._errors import ConfigError, RelembraError
from relembra.cli._options import (
    Cell,
    Dropout,
    Force,
    Json,
    LabelColumn,
    Layers,
    LearningRate,
    OneWay,
    Out,
    Part,
    Quiet,
    Resume,
    Seed,
    TextColumn,
    Threads,
    Units,
    given,
)
from relembra.cli._output import (
    Interrupted,
    Terminal,
    blaming,
    data_name,
    fresh_folder,
    given_folder,
    remove_if_empty,
    set_threads,
)

__all__ = ["classify", "show_scores"]

_MODEL = "Model"


def classify(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="CSV, TSV, Parquet or JSON lines with a text and a label column; .ts or .npz; "
            "a folder of recordings or images, in a folder for each label.",
        ),
    ],
    text: TextColumn = None,
    label: LabelColumn = None,
    part: Part = None,
    test: Annotated[
        Path | None, typer.Option(help="File to score on [default: a share of DATA is held out].")
    ] = None,
    test_part: Annotated[
        str | None, typer.Option(help="Which of several sets of an .npz file to score on.")
    ] = None,
    test_share: Annotated[
        float, typer.Option(help="Share of DATA to score on, where no test data is named.")
    ] = 0.2,
    compare: Annotated[
        bool, typer.Option(help="Train the network without memory as well, to compare.")
    ] = True,
    features: Annotated[
        str,
        typer.Option(
            help="auto, words, characters, words+characters, subwords, symbols, frames, audio, "
            "rows, columns or pixels (of images), or clips.",
            rich_help_panel=_MODEL,
        ),
    ] = "auto",
    pooling: Annotated[
        str, typer.Option(help="last, mean, max or attention.", rich_help_panel=_MODEL)
    ] = "max",
    balanced: Annotated[
        bool,
        typer.Option("--balanced", help="Rare labels count like others.", rich_help_panel=_MODEL),
    ] = False,
    cell: Cell = "lstm",
    units: Units = None,
    layers: Layers = None,
    one_way: OneWay = False,
    dropout: Dropout = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Most training steps.", rich_help_panel=_MODEL)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Sequences in a batch.", rich_help_panel=_MODEL)
    ] = None,
    learning_rate: LearningRate = None,
    resume: Resume = False,
    out: Out = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn to give each text, sequence, recording or image one label.

    Examples: `relembra train classify reviews.csv`, `relembra train classify recordings/`,
    `relembra train classify gestures.npz --part train --test-part test --cell gru`
    """
    from relembra.tasks import Classifier
    from relembra.tasks.classify import DEFAULT_TRAINING, DEFAULT_TRUNK, read_labelled

    if resume and out is None:
        raise ConfigError("--resume needs --out: the folder whose run is to go on")
    both = cell != "feedforward" and not one_way
    trunk = {"units": units, "layers": layers, "dropout": dropout, "bidirectional": both}
    budget = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
    model = Classifier(
        features,
        pooling=pooling,  # type: ignore[arg-type]  # checked where it is used
        class_weight="balanced" if balanced else None,
        trunk=replace(DEFAULT_TRUNK, cell=cell, **given(trunk)),
        training=replace(DEFAULT_TRAINING, seed=seed, **given(budget)),
    )
    terminal = Terminal(quiet=quiet, as_json=as_json)
    set_threads(threads)
    rows = read_labelled(data, text=text, label=label, part=part)
    for note in rows.notes:
        terminal.say(note)
    scored = None
    if test is not None or test_part is not None:
        scored = read_labelled(test or data, text=text, label=label, part=test_part)
    _run(
        model, rows, scored, data, out=out, share=test_share, compare=compare, resume=resume,
        force=force, terminal=terminal,
    )  # fmt: skip


def _run(
    model: Any,
    rows: Any,
    scored: Any,
    data: Path,
    *,
    out: Path | None,
    share: float,
    compare: bool,
    resume: bool,
    force: bool,
    terminal: Terminal,
) -> None:
    """Run the job, and print what came of it."""
    from relembra.tasks.classify import ClassifyFiles, run_classify

    began = time.perf_counter()
    name = data_name(data)
    ours = out is None or not out.exists()
    files = ClassifyFiles(given_folder(out) if out else fresh_folder("classify", name))
    try:
        with blaming(data):
            job = run_classify(
                model,
                rows,
                files,
                title=name,
                test=scored,
                share=share,
                compare=compare,
                resume=resume,
                force=force,
                watch=terminal.watcher(),
                say=terminal.say,
            )
    except RelembraError:
        if ours:
            remove_if_empty(files.folder)
        raise
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; to go on, add: --resume --out {files.folder}") from None
    written = {"model": files.model, "report": files.report}
    show_scores(terminal, job.found, job.held_out, written, time.perf_counter() - began)


def show_scores(
    terminal: Terminal, found: Any, held_out: str, files: dict[str, Path], seconds: float
) -> None:
    """Print scores, verdict and files of what was evaluated."""
    from relembra.tasks.classify import SCORE_HEADER, score_rows, verdict_lines

    terminal.say("")
    terminal.table("Scores", SCORE_HEADER, score_rows(found))
    verdict = verdict_lines(found, held_out)
    for line in verdict:
        terminal.say(line)
    terminal.say("")
    for kind, path in files.items():
        terminal.say(f"{kind:>8}: {path}")
    terminal.say(f"{seconds:8.1f} seconds")
    terminal.result(
        {
            "job": "classify",
            "metrics": found[0].to_dict(),
            "baselines": [one.to_dict() for one in found[1:]],
            "confusion": {
                "labels": [str(label) for label in found[0].labels],
                "counts": found[0].scores.confusion.tolist(),
            },
            "verdict": verdict,
            "files": files,
            "seconds": seconds,
        }
    )
