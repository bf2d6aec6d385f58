"""The whole job: read, train, score on what was held out, write samples, model and report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from relembra._errors import ConfigError
from relembra.data import TextFiles
from relembra.tasks._sequence import JobFiles
from relembra.tasks.generate._baselines import Baseline, ngram_baseline, xz_baseline
from relembra.tasks.generate._corpus import split_texts, stream_of
from relembra.tasks.generate._language_model import LanguageModel
from relembra.tasks.generate._places import working_folder
from relembra.tasks.generate._report import build_report
from relembra.tasks.generate._scores import LanguageScores
from relembra.tasks.generate._settings import DEFAULT_DYNAMIC
from relembra.training import Subscriber

__all__ = [
    "Evaluation",
    "GenerateFiles",
    "GenerateJob",
    "evaluate_model",
    "run_generate",
    "training_text",
]

_HELD_OUT = 0.1
_DYNAMIC_TOKENS = 200_000  # beyond, dynamic evaluation would take longer than people wait


class GenerateFiles(JobFiles):
    """Where a generate job writes; beside the checkpoint lie the tokens."""


@dataclass(frozen=True)
class Evaluation:
    """Scores on one text, ours and the baselines'."""

    name: str
    scores: LanguageScores
    dynamic: LanguageScores | None
    baselines: Sequence[Baseline]

    def rows(self) -> list[tuple[str, LanguageScores, str]]:
        """Return (model, scores, note), ours first."""
        ours = [(self.name, self.scores, "")]
        if self.dynamic is not None:
            note = "goes on learning from what it has read"
            ours.append((f"{self.name}, dynamic evaluation", self.dynamic, note))
        return ours + [(b.name, b.scores, b.note) for b in self.baselines]

    def to_dict(self) -> dict[str, Any]:
        """Return the scores by model."""
        return {name: scores.to_dict() for name, scores, _ in self.rows()}


@dataclass(frozen=True)
class GenerateJob:
    """What the job found and wrote."""

    model: LanguageModel
    evaluation: Evaluation
    samples: dict[str, str]
    files: GenerateFiles


def evaluate_model(
    model: LanguageModel,
    test: str | TextFiles,
    training: str | TextFiles | None = None,
    *,
    dynamic: bool = True,
) -> Evaluation:
    """Score a model on a text, beside 5-grams and ``xz -9`` of its training text where it is given.

    Dynamic evaluation is left out beyond 200,000 tokens.
    """
    feature = model.feature_
    if feature is None:
        raise ConfigError("the model is one of frames; score it with LanguageModel.evaluate")
    name = model.trunk.cell
    with working_folder(None) as place:
        stream = stream_of(test, feature, place)
        moving = None
        if dynamic and len(stream) <= _DYNAMIC_TOKENS:
            moving = model.evaluate(test, dynamic=DEFAULT_DYNAMIC)
        baselines = []
        if training is not None:
            learnt = stream_of(training, feature, place)
            baselines = [ngram_baseline(learnt, stream, feature)]
            baselines.append(xz_baseline(training, test, stream))
        return Evaluation(name, model.evaluate(test), moving, baselines)


def run_generate(
    model: LanguageModel,
    texts: TextFiles,
    test: TextFiles | None,
    files: GenerateFiles,
    *,
    title: str,
    held_out: float = _HELD_OUT,
    resume: bool = False,
    force: bool = False,
    subscribers: Sequence[Subscriber] = (),
    say: Callable[[str], Any] = lambda line: None,
) -> GenerateJob:
    """Train a language model on text files, score it, and write model and report.

    Parameters
    ----------
    model
        Its parameters.
    texts
        What to learn from.
    test
        What to score on; None holds out the last part of the texts.
    files
        Where to write; the folder must exist.
    title
        What the report is about.
    held_out
        That last part.
    resume, force
        Go on from the checkpoint in the folder, or replace what is there.
    subscribers, say
        Told about the training; told what is going on.

    Raises
    ------
    OutputExistsError
        A result is there, and neither `resume` nor `force` is given.
    DataError, ConfigError
        As `LanguageModel.fit`.
    """
    if not force and not (resume and files.checkpoints.is_dir()):
        files.check_free()
    if test is None:
        learning, held = _split(texts, held_out)
    else:
        learning, held = texts, test
    say("training; the last part of the text says when to stop")
    model.fit(
        learning,
        directory=files.checkpoints,
        resume=resume,
        force=force,
        subscribers=subscribers,
    )
    say("scoring on text that training never saw")
    evaluation = evaluate_model(model, held, learning)
    samples = write_samples(model)
    replace = force or resume
    model.save(files.model, force=replace)
    report = build_report(title, model, evaluation.rows(), samples)
    report.write(files.report, force=replace)
    return GenerateJob(model, evaluation, samples, files)


def training_text(texts: TextFiles, held_out: float = _HELD_OUT) -> TextFiles:
    """Return what `run_generate` learns from where no text to score on is named."""
    learning: TextFiles = _split(texts, held_out)[0]
    return learning


def _split(texts: TextFiles, held_out: float) -> tuple[Any, Any]:
    parts = split_texts(texts, None, held_out)
    if parts.validation is None:
        raise ConfigError("nothing is held out to score on: name a text with test")
    return parts.training, parts.validation


def write_samples(model: LanguageModel) -> dict[str, str]:
    """Return some texts of the model's own, by how they were drawn."""
    length = 400 if model.tokens == "characters" else 120
    return {
        f"temperature {temperature:g}": "".join(
            model.generate("", length, temperature=temperature, seed=1)
        )
        for temperature in (0.5, 0.8, 1.0)
    }
