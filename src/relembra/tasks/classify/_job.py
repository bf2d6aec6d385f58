"""The whole job: hold a part out, train, score beside baselines, write it all down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from relembra._errors import DataError
from relembra._random import derive
from relembra.tasks._sequence import JobFiles, hold_out
from relembra.tasks.classify._baselines import BagOfWords, Majority
from relembra.tasks.classify._classifier import Classifier
from relembra.tasks.classify._data import LabelledRows
from relembra.tasks.classify._evaluation import Evaluation, Predictor, evaluate_all
from relembra.tasks.classify._features import holds_text
from relembra.tasks.classify._report import build_report
from relembra.training import Subscriber

__all__ = ["ClassifyFiles", "ClassifyJob", "run_classify"]


class ClassifyFiles(JobFiles):
    """Where a classify job writes."""


@dataclass(frozen=True)
class ClassifyJob:
    """What a classify job found and wrote: the model's evaluation first, then the baselines'."""

    model: Classifier
    found: list[Evaluation]
    held_out: str
    files: ClassifyFiles


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
        The data cannot be used.
    """
    if not force and not (resume and files.checkpoints.is_dir()):
        files.check_free()  # a run goes on over its own results, but over no others
    if data.labels is None or (test is not None and test.labels is None):
        raise DataError("there are no labels to learn from, or to score on")
    held_out = "rows of a file of their own, which training never saw"
    if test is None:
        seed = derive(classifier.seed, "test")
        kept, held = hold_out(len(data), share, seed, labels=data.labels)
        if not len(held):
            raise DataError(
                f"{len(data)} rows are too few to hold {100 * share:.0f} % of each label out; give "
                "more, or a test file"
            )
        data, test = data.take(kept), data.take(held)
        held_out = "rows that were held out at random, which training never saw"
    model: Classifier = clone(classifier)
    models: list[tuple[str, Predictor]] = []
    for name, one in _networks(model, data, compare):
        say(f"training: {name}")
        one.fit(
            data.rows,
            data.labels,
            directory=files.checkpoints / name.replace(" ", "-"),
            resume=resume,
            force=force,
            subscribers=watch(name),
        )
        models.append((name, one))
    models += _baselines(model, data, say)
    found = evaluate_all(models, test.rows, test.labels)
    model.save(files.model, force=force or resume)
    report = build_report(title, model, test, found, held_out)
    report.write(files.report, force=force or resume)
    return ClassifyJob(model, found, held_out, files)


def _networks(model: Classifier, data: LabelledRows, compare: bool) -> list[tuple[str, Classifier]]:
    cell = model.recipe_for(data.rows).trunk.cell
    networks: list[tuple[str, Classifier]] = [(cell, model)]
    if compare and cell != "feedforward":
        other: Classifier = clone(model)
        plain = {"bidirectional": False, "recurrent_dropout": 0.0, "weight_drop": 0.0}
        off = {"zoneout": 0.0, "layer_norm": False, "recompute": False}
        changes = {"cell": "feedforward", **plain, **off}
        other.set_params(**{f"trunk__{name}": value for name, value in changes.items()})
        networks.append(("without memory", other))
    return networks


def _baselines(
    model: Classifier, data: LabelledRows, say: Callable[[str], Any]
) -> list[tuple[str, Predictor]]:
    baselines: list[tuple[str, Predictor]] = []
    if holds_text(data.rows):
        say(f"training: {BagOfWords.name}")
        bag = BagOfWords(
            model.feature_, data.rows, data.labels,
            share=model.recipe_.validation, seed=model.seed,
        )  # fmt: skip
        baselines.append((bag.name, bag))
    return [*baselines, (Majority.name, Majority(data.labels))]
