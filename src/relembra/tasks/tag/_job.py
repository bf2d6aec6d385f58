"""The whole job: hold a part out, train, score beside baselines, write it all down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from relembra._errors import DataError
from relembra._random import derive
from relembra.evaluation import MostFrequentTag
from relembra.tasks._sequence import JobFiles
from relembra.tasks.tag._data import TagData
from relembra.tasks.tag._evaluation import TagScores, tag_scores
from relembra.tasks.tag._report import build_report
from relembra.tasks.tag._tagger import Tagger
from relembra.training import Subscriber

__all__ = ["TagFiles", "TagJob", "run_tag"]


class TagFiles(JobFiles):
    """Where a tagging job writes."""


@dataclass(frozen=True)
class TagJob:
    """What a tagging job found and wrote: the model's scores first, then the baselines'."""

    model: Tagger
    found: list[TagScores]
    held_out: str
    files: TagFiles


def run_tag(
    tagger: Tagger,
    data: TagData,
    files: TagFiles,
    *,
    title: str,
    test: TagData | None = None,
    share: float = 0.2,
    compare: bool = True,
    resume: bool = False,
    force: bool = False,
    watch: Callable[[str], Sequence[Subscriber]] = lambda name: (),
    say: Callable[[str], Any] = lambda line: None,
) -> TagJob:
    """Train a tagger, score it on sequences that it never saw, and write model and report.

    Parameters
    ----------
    tagger
        Its parameters.
    data
        Sequences and tags.
    files
        Where to write; the folder must exist.
    title
        What the report is about.
    test
        Sequences to score on; None holds a part of the data out.
    share
        That part, chosen by the seed.
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
    held_out = "of a file of their own, which training never saw"
    if test is None:
        data, test = data.split(share, derive(tagger.training.seed, "test"))
        held_out = "held out at random, which training never saw"
    if data.tags is None or test.tags is None:
        raise DataError("there are no tags to learn from, or to score on")
    model: Tagger = clone(tagger)
    found = []
    for name, one in _networks(model, compare):
        say(f"training: {name}")
        one.fit(
            data.rows,
            data.tags,
            directory=files.checkpoints / name.replace(" ", "-"),
            resume=resume,
            force=force,
            subscribers=watch(name),
        )
        found.append(_scores(name, model, test, one.predict(test.rows)))
    if data.has_tokens:
        baseline = MostFrequentTag.fit(data.rows, data.tags)
        found.append(_scores("most frequent tag", model, test, baseline.predict(test.rows)))
    else:
        every = MostFrequentTag.fit([[0] * len(row) for row in data.tags], data.tags)
        guess = every.predict([[0] * len(row) for row in test.tags])
        found.append(_scores("most frequent tag", model, test, guess))
    model.save(files.model, force=force or resume)
    report = build_report(title, model, test, found, held_out)
    report.write(files.report, force=force or resume)
    return TagJob(model, found, held_out, files)


def _scores(name: str, model: Tagger, test: TagData, tags: Any) -> TagScores:
    return tag_scores(name, test.tags or [], tags, spans=model.tag_set_.scheme is not None)


def _networks(model: Tagger, compare: bool) -> list[tuple[str, Tagger]]:
    networks: list[tuple[str, Tagger]] = [(model.trunk.cell, model)]
    if compare and model.trunk.cell != "feedforward":
        other: Tagger = clone(model)
        other.trunk = model.trunk.without_memory()
        networks.append(("without memory", other))
    return networks
