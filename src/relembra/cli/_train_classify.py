"""`relembra train classify`: from labelled sequences to a model and a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from relembra.cli._options import (
    Balanced,
    BatchSize,
    Cell,
    ClassFeatures,
    Compare,
    Dropout,
    Force,
    Json,
    LabelColumn,
    Layers,
    LearningRate,
    OneWay,
    Out,
    Part,
    Pooling,
    Quiet,
    Resume,
    Seed,
    Steps,
    TestFile,
    TestPart,
    TestShare,
    TextColumn,
    Threads,
    Units,
    given,
)
from relembra.cli._output import (
    Terminal,
    blaming,
    check_resume,
    data_name,
    job_folder,
    set_threads,
)

__all__ = ["classifier_of", "classify", "rows_and_test", "show_scores"]


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
    test: TestFile = None,
    test_part: TestPart = None,
    test_share: TestShare = 0.2,
    compare: Compare = True,
    features: ClassFeatures = "auto",
    pooling: Pooling = None,
    balanced: Balanced = False,
    cell: Cell = "lstm",
    units: Units = None,
    layers: Layers = None,
    one_way: OneWay = False,
    dropout: Dropout = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
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
    check_resume(resume, out)
    chosen = {"units": units, "layers": layers, "dropout": dropout}
    model = classifier_of(
        features, pooling, balanced, cell, one_way, chosen,
        {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed},
    )  # fmt: skip
    terminal = Terminal(quiet=quiet, as_json=as_json)
    set_threads(threads)
    rows, scored = rows_and_test(data, text, label, part, test, test_part, terminal)
    began, name = time.perf_counter(), data_name(data)
    with job_folder("classify", name, out) as folder, blaming(data):
        from relembra.tasks.classify import ClassifyFiles, run_classify

        job = run_classify(
            model, rows, ClassifyFiles(folder), title=name, test=scored, share=test_share,
            compare=compare, resume=resume, force=force, watch=terminal.watcher(),
            say=terminal.say,
        )  # fmt: skip
    written = {"model": job.files.model, "report": job.files.report}
    seconds = time.perf_counter() - began
    show_scores(terminal, job.found, job.held_out, written, seconds, job.notes)


def classifier_of(
    features: str,
    pooling: str | None,
    balanced: bool,
    cell: str,
    one_way: bool,
    trunk: dict[str, Any],
    training: dict[str, Any],
) -> Any:
    """Return the `Classifier` that the options describe; what is None follows from the data."""
    from relembra.tasks import Classifier

    model = Classifier(
        features,
        pooling=pooling,  # type: ignore[arg-type]  # checked where it is used
        class_weight="balanced" if balanced else None,
    )
    both = cell != "feedforward" and not one_way
    trunk = {"cell": cell, "bidirectional": both, **given(trunk)}
    changes = {f"trunk__{name}": value for name, value in trunk.items()}
    changes |= {f"training__{name}": value for name, value in given(training).items()}
    return model.set_params(**changes)


def rows_and_test(
    data: Path,
    text: str | None,
    label: str | None,
    part: str | None,
    test: Path | None,
    test_part: str | None,
    terminal: Terminal,
) -> tuple[Any, Any]:
    """Return the rows to learn from, and those to score on where they are named."""
    from relembra.tasks.classify import read_labelled

    rows = read_labelled(data, text=text, label=label, part=part)
    for note in rows.notes:
        terminal.say(note)
    if test is None and test_part is None:
        return rows, None
    return rows, read_labelled(test or data, text=text, label=label, part=test_part)


def show_scores(
    terminal: Terminal,
    found: Any,
    held_out: str,
    files: dict[str, Path],
    seconds: float,
    notes: Sequence[str] = (),
) -> None:
    """Print scores, verdict and files of what was evaluated."""
    from relembra.tasks.classify import SCORE_HEADER, score_rows, verdict_lines

    terminal.say("")
    terminal.table("Scores", SCORE_HEADER, score_rows(found))
    verdict = verdict_lines(found, held_out)
    for line in verdict:
        terminal.say(line)
    terminal.files(files, seconds)
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
            "notes": list(notes),
            "files": files,
            "seconds": seconds,
        }
    )
