"""The whole job: hold a part out, train, score beside baselines, write it all down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from relembra._errors import DataError, blaming
from relembra.tasks._sequence import JobFiles, check_free, networks_of, parts_of, train_all
from relembra.tasks.classify._baselines import BagOfWords, Majority
from relembra.tasks.classify._classifier import Classifier
from relembra.tasks.classify._data import LabelledRows
from relembra.tasks.classify._encoded_rows import EncodedRows
from relembra.tasks.classify._evaluation import Evaluation, Predictor, evaluate_all
from relembra.tasks.classify._features import holds_text
from relembra.tasks.classify._report import build_report
from relembra.training import Subscriber

__all__ = ["ClassifyFiles", "ClassifyJob", "baselines_of", "notes_of", "run_classify"]


class ClassifyFiles(JobFiles):
    """Where a classify job writes."""


@dataclass(frozen=True)
class ClassifyJob:
    """What a classify job found and wrote: the model's evaluation first, then the baselines'.

    The notes say what was left out of very many texts.
    """

    model: Classifier
    found: list[Evaluation]
    held_out: str
    files: ClassifyFiles
    notes: tuple[str, ...] = ()


def run_classify(
    classifier: Classifier,
    data: LabelledRows,
    files: ClassifyFiles,
    *,
    title: str,
    test: LabelledRows | None = None,
    share: float = 0.2,
    compare: bool = True,
    resume: bool = False,
    force: bool = False,
    watch: Callable[[str], Sequence[Subscriber]] = lambda name: (),
    say: Callable[[str], Any] = lambda line: None,
) -> ClassifyJob:
    """Train a classifier, score it on rows that it never saw, and write model and report.

    Parameters
    ----------
    classifier
        Its parameters.
    data
        Rows and labels.
    files
        Where to write; the folder must exist.
    title
        What the report is about.
    test
        Rows to score on; None holds a part of the data out.
    share
        That part, of each label alike, chosen by the seed.
    compare
        Whether a network without memory is trained as well.
    resume, force
        Go on from the checkpoints in the folder, or replace what is there.
    watch, say
        Make the subscribers of each training; told what is going on.

    Raises
    ------
    OutputExistsError
        A result is there, and neither `resume` nor `force` is given.
    DataError
        The data cannot be used: no row of it, those to score on among them, is read after training
        has begun.
    """
    check_free(files, resume=resume, force=force)
    if data.labels is None or (test is not None and test.labels is None):
        raise DataError("there are no labels to learn from, or to score on")
    data, test, what = parts_of(data, test, share, classifier.seed)
    model = classifier.settled(data.rows)
    networks = networks_of(model, compare)
    rows = EncodedRows.fit(model.features, data.rows)
    with blaming(test.path):  # a file that cannot be read is told now, not after training
        judged = rows.others(test.rows)
        if not len(judged):
            raise DataError("there are no rows to score on")
    train_all(networks, rows, data.labels, files, resume=resume, force=force, watch=watch, say=say)
    models: list[tuple[str, Predictor]] = [(one.named(name), one) for name, one in networks]
    models += baselines_of(model, data, say)
    notes = notes_of(models)
    for note in notes:
        say(note)
    with blaming(test.path):
        found = evaluate_all(models, judged, test.labels)
    model.save(files.model, force=force or resume)
    held_out = f"rows {what}"
    report = build_report(title, model, test, found, held_out, notes)
    report.write(files.report, force=force or resume)
    return ClassifyJob(model, found, held_out, files, notes)


def notes_of(models: Sequence[tuple[str, Predictor]]) -> tuple[str, ...]:
    """Return what models left out of their training data, each sentence once."""
    every = [note for _, one in models for note in getattr(one, "notes_", ())]
    return tuple(dict.fromkeys(every))


def baselines_of(
    model: Classifier, data: LabelledRows, say: Callable[[str], Any] = lambda line: None
) -> list[tuple[str, Predictor]]:
    """Return what a model must beat, trained on its training data: bags of words, the majority."""
    baselines: list[tuple[str, Predictor]] = []
    if holds_text(data.rows):
        say(f"training: {BagOfWords.name}")
        bag = BagOfWords(
            model.feature_, data.rows, data.labels,
            share=model.recipe_.validation, seed=model.seed,
        )  # fmt: skip
        baselines.append((bag.name, bag))
    return [*baselines, (Majority.name, Majority(data.labels))]
