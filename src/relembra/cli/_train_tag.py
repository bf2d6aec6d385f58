"""`relembra train tag`: from sequences with a tag for each step to a model and a report."""

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

__all__ = ["show_tag_scores", "tag"]

_MODEL = "Model"


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
    repair: Annotated[
        bool, typer.Option("--repair", help="Correct spans that break the rules of their scheme.")
    ] = False,
    features: Annotated[
        str,
        typer.Option(help="auto, words+characters, words or frames.", rich_help_panel=_MODEL),
    ] = "auto",
    crf: Annotated[
        bool | None,
        typer.Option(
            "--crf/--no-crf",
            help="Choose tags as a chain [default: where they are spans].",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help="bio or bioes: spans inside the network.", rich_help_panel=_MODEL),
    ] = None,
    cell: Cell = "lstm",
    units: Units = None,
    layers: Layers = None,
    one_way: OneWay = False,
    dropout: Dropout = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the data.", rich_help_panel=_MODEL)
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
    """Learn to give each step of a sequence a tag: each word, each frame.

    Examples: `relembra train tag towns.conll`,
    `relembra train tag en-train.conllu --column UPOS --test en-test.conllu`
    """
    from relembra.tasks import Tagger
    from relembra.tasks.tag import DEFAULT_TRAINING, DEFAULT_TRUNK, read_tag_data

    if resume and out is None:
        raise ConfigError("--resume needs --out: the folder whose run is to go on")
    both = cell != "feedforward" and not one_way
    trunk = {"units": units, "layers": layers, "dropout": dropout, "bidirectional": both}
    budget = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    model = Tagger(
        features,
        crf="auto" if crf is None else crf,
        scheme=scheme,  # type: ignore[arg-type]  # checked where it is used
        repair=repair,
        trunk=replace(DEFAULT_TRUNK, cell=cell, **given(trunk)),
        training=replace(DEFAULT_TRAINING, seed=seed, **given(budget)),
    )
    terminal = Terminal(quiet=quiet, as_json=as_json)
    set_threads(threads)
    check = not repair and crf is not False
    rows = read_tag_data(data, word=text, column=label, part=part, check=check)
    for note in rows.notes:
        terminal.say(note)
    scored = None
    if test is not None or test_part is not None:
        scored = read_tag_data(test or data, word=text, column=label, part=test_part)
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
    from relembra.tasks.tag import TagFiles, run_tag

    began = time.perf_counter()
    name = data_name(data)
    ours = out is None or not out.exists()
    files = TagFiles(given_folder(out) if out else fresh_folder("tag", name))
    try:
        with blaming(data):
            job = run_tag(
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
    show_tag_scores(terminal, job.found, job.held_out, written, time.perf_counter() - began)


def show_tag_scores(
    terminal: Terminal, found: Any, held_out: str, files: dict[str, Path], seconds: float
) -> None:
    """Print scores, verdict and files of what was evaluated."""
    from relembra.tasks.tag import score_table, verdict_lines

    terminal.say("")
    terminal.table("Scores", *score_table(found))
    verdict = verdict_lines(found, held_out)
    for line in verdict:
        terminal.say(line)
    terminal.say("")
    for kind, path in files.items():
        terminal.say(f"{kind:>8}: {path}")
    terminal.say(f"{seconds:8.1f} seconds")
    terminal.result(
        {
            "job": "tag",
            "metrics": found[0].to_dict(),
            "baselines": [{"model": one.name} | one.to_dict() for one in found[1:]],
            "verdict": verdict,
            "files": files,
            "seconds": seconds,
        }
    )
