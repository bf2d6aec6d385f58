"""`relembra predict` with a tagger: a tag for each step, and its probability."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from relembra.cli._output import blaming, predictions_file

if TYPE_CHECKING:
    from relembra.cli._predict import PredictRequest
    from relembra.tasks.tag import TagPiece

__all__ = ["predict_tag"]


def predict_tag(request: PredictRequest) -> None:
    """Tag the sequences, a thousand at a time, and write them."""
    from relembra._errors import ConfigError
    from relembra.tasks import Tagger
    from relembra.tasks.tag import check_tag_ending, column_of, open_rows, write_tags

    model = Tagger.load(request.model)
    output = request.output
    if output is not None:
        check_tag_ending(output, request.data)
    if request.column is not None and (output is None or output.suffix.lower() != ".conllu"):
        raise ConfigError(
            "--column says which column of CoNLL-U gets the tags; it needs an --output that ends "
            "in .conllu"
        )
    rows, notes = open_rows(request.data, word=request.text, part=request.part)
    counted = _Counted(model, rows)
    name = request.data, output, request.out, "tags.csv"
    with predictions_file(*name, force=request.force) as path, blaming(request.data):
        column = column_of(request.data, request.column) or "upos"
        write_tags(path, counted, source=request.data, column=column, force=request.force)
    for note in notes():
        request.terminal.say(note)
    sequences, steps = counted.sequences, counted.steps
    request.terminal.say(f"tags: {path} ({sequences:,} sequences, {steps:,} steps)")
    request.terminal.result(
        {"job": "tag", "sequences": sequences, "steps": steps, "files": {"tags": path}}
    )


class _Counted:
    """Tags for sequences as they are read, and how many there were."""

    def __init__(self, model: Any, rows: Iterator[Any]) -> None:
        self._model, self._rows = model, rows
        self._place = {tag: k for k, tag in enumerate(model.tag_set_.tags)}
        self.sequences = self.steps = 0

    def __iter__(self) -> Iterator[TagPiece]:
        from relembra.tasks.tag import TagPiece

        for rows in self._rows:
            tags, chances = self._model.predict(rows), self._model.predict_proba(rows)
            confidence = [
                [float(row[t, self._place[tag]]) for t, tag in enumerate(theirs)]
                for row, theirs in zip(chances, tags, strict=True)
            ]
            self.sequences += len(tags)
            self.steps += sum(map(len, tags))
            yield TagPiece(rows, tags, confidence)
