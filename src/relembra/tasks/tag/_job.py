"""The whole job: hold a part out, train, score beside baselines, write it all down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from relembra._errors import DataError, blaming
from relembra.evaluation import MostFrequentTag
from relembra.tasks._sequence import JobFiles, check_free, networks_of, parts_of, train_all
from relembra.tasks.tag._data import TagData
from relembra.tasks.tag._evaluation import TagScores, tag_scores
from relembra.tasks.tag._report import build_report
from relembra.tasks.tag._tagger import Tagger
from relembra.training import Subscriber

__all__ = ["TagFiles", "TagJob", "run_tag", "score_baseline"]


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
        The data cannot be used; that to score on is looked at before training begins.
    """
    check_free(files, resume=resume, force=force)
    if data.tags is None or (test is not None and test.tags is None):
        raise DataError("there are no tags to learn from, or to score on")
    data, test, held_out = parts_of(data, test, share, tagger.seed)
    model = tagger.settled(data.rows)
    networks = networks_of(model, compare)
    rows, truth = model.prepared(data.rows, data.tags, files.folder)
    if rows.tag_set.scheme is not None:
        test.check_spans()
    with blaming(test.path):  # a file that cannot be read is told now, not after training
        judged = rows.others(test.rows)
        if not judged.encoded.lengths.any():
            raise DataError("there are no steps to score on")
    train_all(networks, rows, truth, files, resume=resume, force=force, watch=watch, say=say)
    with blaming(test.path):
        found = [_scores(name, model, test, one.predict(judged)) for name, one in networks]
    found.append(score_baseline(model, data, test))
    model.save(files.model, force=force or resume)
    report = build_report(title, model, test, found, held_out)
    report.write(files.report, force=force or resume)
    return TagJob(model, found, held_out, files)


def score_baseline(model: Tagger, data: TagData, test: TagData) -> TagScores:
    """Score what a model must beat: of each token, else of all, the most frequent tag in `data`."""
    seen, asked = (
        part.rows if part.has_tokens else [[0] * len(row) for row in part.tags or []]
        for part in (data, test)
    )
    baseline = MostFrequentTag.fit(seen, data.tags or [])
    return _scores("most frequent tag", model, test, baseline.predict(asked))


def _scores(name: str, model: Tagger, test: TagData, tags: Any) -> TagScores:
    return tag_scores(name, test.tags or [], tags, spans=model.tag_set_.scheme is not None)
