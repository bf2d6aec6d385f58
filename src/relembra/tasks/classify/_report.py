"""The report of a classifier: how good it is, beside what, and where it errs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from relembra.data import Audio, Feature, ImageScan
from relembra.report import Best, Picture, Report, format_number, training_figure
from relembra.tasks._sequence import front_lines
from relembra.tasks.classify._classifier import Classifier
from relembra.tasks.classify._data import LabelledRows
from relembra.tasks.classify._evaluation import Evaluation

__all__ = ["SCORE_HEADER", "build_report", "score_rows", "verdict_lines"]

_MISTAKES, _LONGEST, _MOST_LABELS = 20, 240, 30
_BINS = 10
_THUMBNAIL = 64

SCORE_HEADER = ("Model", "Accuracy", "Macro F1", "Log loss", "Calibration error")


def score_rows(found: Sequence[Evaluation]) -> list[list[str]]:
    """Return the cells of the table of scores, the best of each column marked."""
    columns = [
        ([one.scores.accuracy for one in found], max),
        ([one.scores.macro_f1 for one in found], max),
        ([one.log_loss for one in found], min),
        ([one.calibration for one in found], min),
    ]
    rows = [[one.name] for one in found]
    for values, best in columns:
        top = best(values)
        for row, value in zip(rows, values, strict=True):
            text = format_number(value)
            row.append(Best(text) if len(found) > 1 and value == top else text)
    return rows


def verdict_lines(found: Sequence[Evaluation], held_out: str) -> list[str]:
    """Return what the scores say, in sentences; the plain truth where the model lost.

    Parameters
    ----------
    found
        The model first, then the baselines.
    held_out
        What it was measured on.
    """
    model, *others = found
    lines = [f"{_percent(model)} of the answers of {model.name} are right."]
    best = max(found, key=lambda one: one.scores.accuracy)  # the first of several
    for other in others:
        use = other is best and _is_worse(model, other)
        lines.append(_against(model, other) + " Use it." * use)
    lines.append(f"Measured on {len(model.truth):,} {held_out}. {_trust(model.calibration)}")
    return lines


def _percent(one: Evaluation) -> str:
    return f"{100 * one.scores.accuracy:.1f} %"


def _difference(model: Evaluation, other: Evaluation) -> tuple[float, float]:
    """Return how much more is right, and what chance explains of it: two standard errors."""
    difference = model.scores.accuracy - other.scores.accuracy
    # Of a difference between answers that are mostly the same.
    wrong = (model.answers != model.truth) != (other.answers != other.truth)
    return difference, 2 * float(np.sqrt(max(wrong.mean() - difference**2, 0.0) / len(wrong)))


def _is_worse(model: Evaluation, other: Evaluation) -> bool:
    difference, doubt = _difference(model, other)
    return difference < -doubt


def _against(model: Evaluation, other: Evaluation) -> str:
    difference, doubt = _difference(model, other)
    figures = f"({_percent(model)} against {_percent(other)})"
    if abs(difference) <= doubt:
        return (
            f"{model.name} and {other.name} cannot be told apart here {figures}: the difference is "
            "within what chance explains."
        )
    if difference > 0:
        return f"{model.name} beats {other.name} {figures}."
    return f"{other.name} is better here {figures}."


def _trust(error: float) -> str:
    if error < 0.05:
        return "Its probabilities can be taken at their word."
    return f"Its probabilities are {100 * error:.0f} points off on average: take them with care."


def build_report(
    title: str,
    model: Classifier,
    data: LabelledRows,
    found: Sequence[Evaluation],
    held_out: str,
    notes: Sequence[str] = (),
) -> Report:
    """Return the report, ready to be written.

    Parameters
    ----------
    title
        What it is about.
    model
        Fitted.
    data
        The rows that were scored.
    found
        The model's evaluation first, then the baselines'.
    held_out
        What these rows are.
    notes
        What training left out, as sentences.
    """
    own = found[0]
    report = Report(
        f"Classification of {title}",
        f"{len(model.classes_):,} labels, {len(own.truth):,} rows scored",
    )
    report.add_summary(verdict_lines(found, held_out))
    report.add_table("How good it is", SCORE_HEADER, score_rows(found), _MEANING)
    report.add_table(
        "Label by label",
        ("Label", "Precision", "Recall", "F1", "Rows"),
        [
            [str(c.label), *(format_number(v) for v in (c.precision, c.recall, c.f1)),
             f"{int(c.support):,}"]
            for c in own.scores.classes
        ],
    )  # fmt: skip
    _add_confusion(report, own)
    report.add_table(
        "Are the probabilities to be believed?",
        ("Confidence", "Rows", "Mean confidence", "Right"),
        _reliability(own),
        "Where the last two columns agree, a confidence of 80 % is right in 80 of 100 cases.",
    )
    _add_mistakes(report, model, data, own)
    _add_training(report, model)
    report.add_text("The data", [*(data.notes or ["It was given in memory."]), *notes])
    report.add_text("The model", _model_lines(model))
    return report


_MEANING = (
    "The best of each column is bold. Macro F1 is the mean over the labels, rare ones counting as "
    "much as frequent ones. Log loss is low where the true label had a high probability. "
    "Calibration error is how far confidence and accuracy are apart on average."
)


_WRONG = "Wrong answers given with the highest confidence; wrong labels are often found among them."


def _add_confusion(report: Report, own: Evaluation) -> None:
    matrix, labels = own.scores.confusion, [str(label) for label in own.labels]
    if len(labels) <= _MOST_LABELS:
        rows = [
            [label, *(f"{count:,}" for count in row.tolist())]
            for label, row in zip(labels, matrix, strict=True)
        ]
        note = "A row is the true label, a column what the model said."
        report.add_table("What is taken for what", ("True label", *labels), rows, note)
        return
    pairs = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-pairs, axis=None, kind="stable")[:_MOST_LABELS]
    places = [np.unravel_index(k, pairs.shape) for k in order]
    rows = [[labels[i], labels[j], f"{pairs[i, j]:,}"] for i, j in places if pairs[i, j]]
    report.add_table("What is taken for what", ("True label", "Answer", "Rows"), rows,
                     "The most frequent confusions.")  # fmt: skip


def _reliability(own: Evaluation) -> list[list[str]]:
    confidence, right = own.confidence, own.answers == own.truth
    place = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    rows = []
    for k in range(_BINS):
        inside = place == k
        if inside.any():
            rows.append(
                [
                    f"{100 * k // _BINS}\N{EN DASH}{100 * (k + 1) // _BINS} %",
                    f"{inside.sum():,}",
                    f"{100 * confidence[inside].mean():.1f} %",
                    f"{100 * right[inside].mean():.1f} %",
                ]
            )
    return rows


def _add_mistakes(report: Report, model: Classifier, data: LabelledRows, own: Evaluation) -> None:
    worst = own.mistakes(_MISTAKES)
    if not worst:
        report.add_text("The worst mistakes", "There are none.")
        return
    rows = []
    for row in worst:
        what, why = _shown(model, data.rows[row])
        truth, answer = own.labels[own.truth[row]], own.labels[own.answers[row]]
        sure = f"{100 * own.confidence[row]:.0f} %"
        rows.append([f"{row + 1:,}", what, str(truth), str(answer), sure, why])
    header = ("Row", "What", "True label", "Answer", "Confidence", "What spoke for the answer")
    report.add_table("The worst mistakes", header, rows, _WRONG)


def _shown(model: Classifier, row: Any) -> tuple[str, str]:
    """Return a row for people, and the steps that spoke most for the answer."""
    found = model.saliency(row)
    best = [int(i) for i in np.argsort(-found.weights)[:3] if found.weights[i] > 0]
    if found.pieces is None:
        name = Path(*row.parts[-2:]) if isinstance(row, Path) else f"{len(found.weights):,} steps"
        return _pictured(model.feature_, row, str(name)), _places(model.feature_, sorted(best))
    text = row if isinstance(row, str) else " ".join(row)
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "\N{HORIZONTAL ELLIPSIS}"
    return shown, ", ".join(dict.fromkeys(found.pieces[i] for i in best)) or "\N{EN DASH}"


def _pictured(feature: Feature, row: Any, name: str) -> str:
    """Return the name of a row, with a small picture where it is an image file."""
    if not isinstance(feature, ImageScan) or not isinstance(row, Path):
        return name
    from PIL import Image

    file = io.BytesIO()
    with Image.open(row) as image:
        small = image.convert("RGB")
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    small.save(file, "PNG")
    return Picture(name, file.getvalue())


def _places(feature: Feature, steps: Sequence[int]) -> str:
    """Return where the steps are: the time of a recording, or their numbers."""
    if isinstance(feature, Audio):
        spectrum = feature.spectrum
        times = [f"{step * spectrum.step / spectrum.rate:.2f} s" for step in steps]
        return ", ".join(times) or "\N{EN DASH}"
    what = feature.scan if isinstance(feature, ImageScan) else "steps"
    return f"{what} {', '.join(str(step + 1) for step in steps)}" if steps else "\N{EN DASH}"


def _add_training(report: Report, model: Classifier) -> None:
    history = model.fitted_.history
    if history is None:
        return
    columns = history.to_dict()
    scored = [(s, v) for s, v in zip(columns["step"], columns["validation"], strict=True) if v]
    best = history.best
    report.add_figure(
        "Training",
        training_figure(
            columns["step"],
            columns["train_loss"],
            [step for step, _ in scored],
            [value for _, value in scored],
            best_step=None if best is None else best.step,
            loss_name="Cross-entropy",
        ),
        "The training loss is measured with dropout, the held-out one without.",
    )


def _model_lines(model: Classifier) -> list[str]:
    recipe, fitted = model.recipe_, model.fitted_
    trunk = recipe.trunk
    weights = sum(p.numel() for p in fitted.network.parameters())
    both = ", reading both ways" if trunk.bidirectional else ""
    return [
        f"{model.feature_.kind.replace('_', ' ')}, {trunk.cell}, {trunk.units} units, "
        f"{trunk.layers} layer{'s' * (trunk.layers > 1)}{both}, {recipe.pooling} over the steps; "
        f"{weights:,} weights.",
        *front_lines(recipe.embedding),
        f"Scores are divided by a temperature of {fitted.temperature:.2f}.",
    ]
