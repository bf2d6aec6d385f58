"""`relembra predict` with a classifier: a label and its probability for each row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relembra.cli._output import blaming, predictions_file

if TYPE_CHECKING:
    from relembra.cli._predict import PredictRequest

__all__ = ["predict_classify"]


def predict_classify(request: PredictRequest) -> None:
    """Label the rows some thousand at a time, and write them."""
    from relembra.tasks import Classifier
    from relembra.tasks._sequence import check_ending, write_table

    model = Classifier.load(request.model)
    if request.output is not None:
        check_ending(request.output)
    name = request.data, request.output, request.out, "labels.csv"
    with predictions_file(*name, force=request.force) as path, blaming(request.data):
        rows = write_table(path, _pieces(model, request), force=request.force)
    request.terminal.say(f"labels: {path} ({rows:,} rows)")
    request.terminal.result({"job": "classify", "rows": rows, "files": {"labels": path}})


def _pieces(model: Any, request: PredictRequest) -> Iterator[dict[str, list[Any]]]:
    from relembra.data import ImageSequence
    from relembra.tasks.classify import chunks_of

    done, clips = 0, isinstance(model.feature_, ImageSequence)
    for rows in chunks_of(
        request.data, text=request.text, part=request.part, clips=clips, say=request.terminal.say
    ):
        chances = model.predict_proba(rows)
        columns = {
            "row": list(range(done + 1, done + 1 + len(rows))),
            **_file_names(rows),
            "label": model.classes_[chances.argmax(1)].tolist(),
            "confidence": chances.max(1).tolist(),
        }
        for label, column in zip(model.classes_.tolist(), chances.T, strict=True):
            columns[f"p_{label}"] = column.tolist()
        yield columns
        done += len(rows)


def _file_names(rows: Any) -> dict[str, list[str]]:
    """Return the column that names files, where the rows are files."""
    return {"file": [str(row) for row in rows]} if isinstance(rows[0], Path) else {}
