"""`relembra evaluate` with a classifier."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from relembra.cli._output import blaming, data_name, fresh_folder, given_folder
from relembra.cli._train_classify import show_scores

if TYPE_CHECKING:
    from relembra.cli._evaluate import EvaluateRequest

__all__ = ["evaluate_classify"]

_WHAT = "rows of the file that was given"


def evaluate_classify(request: EvaluateRequest) -> None:
    """Score the model beside the baselines, and write the report."""
    from relembra._errors import OutputExistsError
    from relembra.tasks import Classifier
    from relembra.tasks.classify import (
        build_report,
        evaluate_all,
        notes_of,
        read_labelled,
        unknown_labels,
    )

    began = time.perf_counter()
    model = Classifier.load(request.model)
    data = read_labelled(request.data, text=request.text, label=request.label, part=request.part)
    for note in data.notes:
        request.terminal.say(note)
    with blaming(request.data):
        name = model.named(model.recipe_.trunk.cell)
        models: list[tuple[str, Any]] = [(name, model), *_baselines(model, request)]
        notes = (*unknown_labels(model, data.labels), *notes_of(models))
        for note in notes:
            request.terminal.say(note)
        found = evaluate_all(models, data.rows, data.labels)
    name = data_name(request.data)
    folder = given_folder(request.out) if request.out else fresh_folder("evaluate", name)
    path = folder / "report.html"
    if path.exists() and not request.force:
        raise OutputExistsError(f"{path} exists; choose another --out, or say --force")
    report = build_report(name, model, data, found, _WHAT, notes)
    report.write(path, force=request.force)
    seconds = time.perf_counter() - began
    show_scores(request.terminal, found, _WHAT, {"report": path}, seconds, notes)


def _baselines(model: Any, request: EvaluateRequest) -> list[tuple[str, Any]]:
    """Return those of training, where its data is named; else the most frequent label."""
    from relembra.tasks.classify import Majority, baselines_of, read_labelled

    if request.train is None:
        majority = Majority.of_counts(model.classes_, model.class_counts_)
        return [(majority.name, majority)]
    learnt = read_labelled(request.train, text=request.text, label=request.label)
    with blaming(request.train):
        return list(baselines_of(model, learnt))
