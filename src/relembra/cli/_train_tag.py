"""`relembra train tag`: from sequences with a tag for each step to a model and a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from relembra.cli._options import (
    BatchSize,
    Cell,
    Compare,
    Crf,
    Dropout,
    Epochs,
    Force,
    Json,
    LabelColumn,
    Layers,
    LearningRate,
    OneWay,
    Out,
    Part,
    Quiet,
    Repair,
    Resume,
    Seed,
    SpanScheme,
    TagFeatures,
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

__all__ = ["show_tag_scores", "tag", "tagger_of", "tags_and_test"]


def tag(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="CoNLL columns, .conllu, JSON lines of tokens and tags, or .npz of frames.",
        ),
    ],
    text: TextColumn = None,
    label: LabelColumn = None,
    part: Part = None,
    test: TestFile = None,
    test_part: TestPart = None,
    test_share: TestShare = 0.2,
    compare: Compare = True,
    repair: Repair = False,
    features: TagFeatures = "auto",
    crf: Crf = None,
    scheme: SpanScheme = None,
    cell: Cell = "lstm",
    units: Units = None,
    layers: Layers = None,
    one_way: OneWay = False,
    dropout: Dropout = None,
    epochs: Epochs = None,
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
    """Learn to give each step of a sequence a tag: each word, each frame.

    Examples: `relembra train tag towns.conll`,
    `relembra train tag en-train.conllu --column UPOS --test en-test.conllu`
    """
    check_resume(resume, out)
    chosen = {"units": units, "layers": layers, "dropout": dropout}
    model = tagger_of(
        features, crf, scheme, repair, cell, one_way, chosen,
        {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed},
    )  # fmt: skip
    terminal = Terminal(quiet=quiet, as_json=as_json)
    set_threads(threads)
    check = not repair and crf is not False
    rows, scored = tags_and_test(data, text, label, part, test, test_part, check, terminal)
    began, name = time.perf_counter(), data_name(data)
    with job_folder("tag", name, out) as folder, blaming(data):
        from relembra.tasks.tag import TagFiles, run_tag

        job = run_tag(
            model, rows, TagFiles(folder), title=name, test=scored, share=test_share,
            compare=compare, resume=resume, force=force, watch=terminal.watcher(),
            say=terminal.say,
        )  # fmt: skip
    written = {"model": job.files.model, "report": job.files.report}
    show_tag_scores(terminal, job.found, job.held_out, written, time.perf_counter() - began)


def tagger_of(
    features: str,
    crf: bool | None,
    scheme: str | None,
    repair: bool,
    cell: str,
    one_way: bool,
    trunk: dict[str, Any],
    training: dict[str, Any],
) -> Any:
    """Return the `Tagger` that the options describe; what is None stays as it is."""
    from relembra.tasks import Tagger

    both = cell != "feedforward" and not one_way
    model = Tagger(
        features,
        crf="auto" if crf is None else crf,
        scheme=scheme,  # type: ignore[arg-type]  # checked where it is used
        repair=repair,
    )
    trunk = {"cell": cell, "bidirectional": both, **given(trunk)}
    changes = {f"trunk__{name}": value for name, value in trunk.items()}
    changes |= {f"training__{name}": value for name, value in given(training).items()}
    return model.set_params(**changes)


def tags_and_test(
    data: Path,
    text: str | None,
    label: str | None,
    part: str | None,
    test: Path | None,
    test_part: str | None,
    check: bool,
    terminal: Terminal,
) -> tuple[Any, Any]:
    """Return the sequences to learn from, and those to score on where they are named."""
    from relembra.tasks.tag import read_tag_data

    rows = read_tag_data(data, word=text, column=label, part=part, check=check)
    for note in rows.notes:
        terminal.say(note)
    if test is None and test_part is None:
        return rows, None
    return rows, read_tag_data(test or data, word=text, column=label, part=test_part)


def show_tag_scores(
    terminal: Terminal,
    found: Any,
    held_out: str,
    files: dict[str, Path],
    seconds: float,
    notes: Sequence[str] = (),
) -> None:
    """Print scores, verdict and files of what was evaluated."""
    from relembra.tasks.tag import score_table, verdict_lines

    terminal.say("")
    terminal.table("Scores", *score_table(found))
    verdict = verdict_lines(found, held_out)
    for line in verdict:
        terminal.say(line)
    terminal.files(files, seconds)
    terminal.result(
        {
            "job": "tag",
            "metrics": found[0].to_dict(),
            "baselines": [{"model": one.name} | one.to_dict() for one in found[1:]],
            "verdict": verdict,
            "notes": list(notes),
            "files": files,
            "seconds": seconds,
        }
    )
