"""`relembra evaluate` with a tagger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from relembra.cli._output import blaming, data_name, fresh_folder, given_folder
from relembra.cli._train_tag import show_tag_scores

if TYPE_CHECKING:
    from relembra.cli._evaluate import EvaluateRequest

__all__ = ["evaluate_tag"]

_WHAT = "of the file that was given"


def evaluate_tag(request: EvaluateRequest) -> None:
    """Score the model, and write the report."""
    from relembra._errors import OutputExistsError
    from relembra.tasks import Tagger
    from relembra.tasks.tag import (
        build_report,
        read_tag_data,
        score_baseline,
        tag_scores,
        unknown_tags,
    )

    began = time.perf_counter()
    model = Tagger.load(request.model)
    data = read_tag_data(request.data, word=request.text, column=request.label, part=request.part)
    spans = model.tag_set_.scheme is not None
    with blaming(request.data):
        notes = unknown_tags(model.tag_set_, data.tags or [])
    if spans:
        data.check_spans()
    for note in (*data.notes, *notes):
        request.terminal.say(note)
    with blaming(request.data):
        found = [
            tag_scores(model.trunk.cell, data.tags or [], model.predict(data.rows), spans=spans)
        ]
    if request.train is not None:
        learnt = read_tag_data(request.train, word=request.text, column=request.label)
        if spans:
            learnt.check_spans()
        found.append(score_baseline(model, learnt, data))
    name = data_name(request.data)
    folder = given_folder(request.out) if request.out else fresh_folder("evaluate", name)
    path = folder / "report.html"
    if path.exists() and not request.force:
        raise OutputExistsError(f"{path} exists; choose another --out, or say --force")
    build_report(name, model, data, found, _WHAT).write(path, force=request.force)
    seconds = time.perf_counter() - began
    show_tag_scores(request.terminal, found, _WHAT, {"report": path}, seconds, notes)
