"""`relembra predict` with a tagger: a tag for each step, and its probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relembra.cli._output import blaming, data_name, fresh_folder, given_folder

if TYPE_CHECKING:
    from relembra.cli._predict import PredictRequest

__all__ = ["predict_tag"]


def predict_tag(request: PredictRequest) -> None:
    """Tag the sequences, and write them."""
    from relembra._errors import OutputExistsError
    from relembra.tasks import Tagger
    from relembra.tasks.tag import check_tag_ending, read_tag_data, write_tags

    if request.output is not None:
        check_tag_ending(request.output)
    model = Tagger.load(request.model)
    data = read_tag_data(request.data, word=request.text, part=request.part, tagged=False)
    for note in data.notes:
        request.terminal.say(note)
    with blaming(request.data):
        tags = model.predict(data.rows)
        chances = model.predict_proba(data.rows)
    place = {tag: k for k, tag in enumerate(model.tag_set_.tags)}
    confidence = [
        [float(row[t, place[tag]]) for t, tag in enumerate(theirs)]
        for row, theirs in zip(chances, tags, strict=True)
    ]
    path = request.output
    if path is None:
        name = data_name(request.data)
        folder = given_folder(request.out) if request.out else fresh_folder("predict", name)
        path = folder / "tags.csv"
    if path.exists() and not request.force:
        raise OutputExistsError(f"{path} exists; choose another name, or say --force")
    write_tags(path, data.rows, tags, confidence, force=request.force)
    steps = sum(map(len, tags))
    request.terminal.say(f"tags: {path} ({len(tags):,} sequences, {steps:,} steps)")
    request.terminal.result(
        {"job": "tag", "sequences": len(tags), "steps": steps, "files": {"tags": path}}
    )
