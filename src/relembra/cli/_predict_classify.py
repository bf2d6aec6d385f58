"""`relembra predict` with a classifier: a label and its probability for each row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relembra.cli._output import blaming, data_name, fresh_folder, given_folder, remove_if_empty

if TYPE_CHECKING:
    from relembra.cli._predict import PredictRequest

__all__ = ["predict_classify"]


def predict_classify(request: PredictRequest) -> None:
    """Label the rows some thousand at a time, and write them."""
    from relembra._errors import OutputExistsError, RelembraError
    from relembra.tasks import Classifier
    from relembra.tasks._sequence import check_ending, write_table

    model = Classifier.load(request.model)
    path, folder = request.output, None
    if path is None:
        ours = request.out is None or not request.out.exists()
        name = data_name(request.data)
        place = given_folder(request.out) if request.out else fresh_folder("predict", name)
        folder = place if ours else None
        path = place / "labels.csv"
    check_ending(path)
    if path.exists() and not request.force:
        raise OutputExistsError(f"{path} exists; choose another name, or say --force")
    try:
        with blaming(request.data):
            rows = write_table(path, _pieces(model, request), force=request.force)
    except RelembraError:
        if folder is not None:
            remove_if_empty(folder)
        raise
    request.terminal.say(f"labels: {path} ({rows:,} rows)")
    request.terminal.result({"job": "classify", "rows": rows, "files": {"labels": path}})


def _pieces(model: Any, request: PredictRequest) -> Iterator[dict[str, list[Any]]]:
    from relembra.data import ImageSequence
    from relembra.tasks.classify import chunks_of

    done, clips = 0, isinstance(model.feature_, ImageSequence)
    for rows in chunks_of(request.data, text=request.text, part=request.part, clips=clips):
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
