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
    """Score the model beside always giving the most frequent label of its training data."""
    import numpy as np

    from relembra._errors import OutputExistsError
    from relembra.tasks import Classifier
    from relembra.tasks.classify import Majority, build_report, evaluate_all, read_labelled

    began = time.perf_counter()
    model = Classifier.load(request.model)
    data = read_labelled(request.data, text=request.text, label=request.label, part=request.part)
    for note in data.notes:
        request.terminal.say(note)
    with blaming(request.data):
        majority = Majority(np.repeat(model.classes_, model.class_counts_))
        models: list[tuple[str, Any]] = [
            (model.recipe_.trunk.cell, model),
            (majority.name, majority),
        ]
        found = evaluate_all(models, data.rows, data.labels)
    name = data_name(request.data)
    folder = given_folder(request.out) if request.out else fresh_folder("evaluate", name)
    path = folder / "report.html"
    if path.exists() and not request.force:
        raise OutputExistsError(f"{path} exists; choose another --out, or say --force")
    build_report(name, model, data, found, _WHAT).write(path, force=request.force)
    seconds = time.perf_counter() - began
    show_scores(request.terminal, found, _WHAT, {"report": path}, seconds)
