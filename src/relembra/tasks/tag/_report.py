"""The report of a tagger: how good it is, beside what, and where it errs."""

from __future__ import annotations

from collections.abc import Sequence

from relembra.report import Best, Report, format_number, training_figure
from relembra.tasks._sequence import front_lines
from relembra.tasks.tag._data import TagData
from relembra.tasks.tag._evaluation import TagScores
from relembra.tasks.tag._tagger import Tagger

__all__ = ["build_report", "score_table", "verdict_lines"]

_SENTENCES, _PAIRS, _SHOWN = 15, 25, 60


def score_table(found: Sequence[TagScores]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the cells of the table of scores, the best of each column marked."""
    names = {"accuracy": "Token accuracy", "macro_f1": "Macro F1", "span_precision":
             "Span precision", "span_recall": "Span recall", "span_f1": "Span F1"}  # fmt: skip
    keys = list(found[0].to_dict())
    rows = [[one.name] for one in found]
    for key in keys:
        values = [one.to_dict()[key] or 0.0 for one in found]
        for row, value in zip(rows, values, strict=True):
            text = format_number(value)
            row.append(Best(text) if len(found) > 1 and value == max(values) else text)
    return ["Model", *(names[key] for key in keys)], rows


def verdict_lines(found: Sequence[TagScores], held_out: str) -> list[str]:
    """Return what the scores say, in sentences; the plain truth where the model lost."""
    model, *others = found
    right = f"{100 * model.tokens.accuracy:.1f} % of the tags of {model.name} are right"
    if model.spans is not None:
        right += (
            f"; of the spans that it finds {100 * model.spans.precision:.1f} % are true, and of "
            f"the true ones it finds {100 * model.spans.recall:.1f} %"
        )
    lines = [right + "."]
    measure = "token accuracy" if model.spans is None else "span F1"
    best = max(found, key=lambda one: one.main)  # the first of several
    for other in others:
        figures = f"({measure} {format_number(model.main)} against {format_number(other.main)})"
        if model.main > other.main:
            lines.append(f"{model.name} beats {other.name} {figures}.")
        elif model.main == other.main:
            lines.append(f"{model.name} and {other.name} are equally good here {figures}.")
        else:
            use = " Use it." if other is best else ""
            lines.append(f"{other.name} is better here {figures}.{use}")
    steps = sum(map(len, model.truth))
    lines.append(f"Measured on {len(model.truth):,} sequences, {steps:,} steps, {held_out}.")
    return lines


def build_report(
    title: str, model: Tagger, data: TagData, found: Sequence[TagScores], held_out: str
) -> Report:
    """Return the report, ready to be written.

    Parameters
    ----------
    title
        What it is about.
    model
        Fitted.
    data
        The sequences that were scored.
    found
        The model's scores first, then the baselines'.
    held_out
        What these sequences are.
    """
    own = found[0]
    report = Report(f"Tags of {title}", f"{len(model.classes_):,} tags, {len(data):,} sequences")
    report.add_summary(verdict_lines(found, held_out))
    report.add_table("How good it is", *score_table(found), "The best of each column is bold.")
    if own.spans is not None:
        report.add_table(
            "Spans",
            ("Kind", "Precision", "Recall", "F1", "True spans"),
            [_class_cells(row) for row in own.spans.labels],
            "A span counts as found when its begin, its end and its kind are right, as conlleval "
            "and seqeval count.",
        )
    report.add_table(
        "Tag by tag",
        ("Tag", "Precision", "Recall", "F1", "True steps"),
        [_class_cells(row) for row in own.tokens.classes],
    )
    mistakes = own.confusions(_PAIRS)
    if mistakes:
        report.add_table(
            "What is taken for what",
            ("True tag", "Answer", "Steps"),
            [[a, b, f"{count:,}"] for a, b, count in mistakes],
            "The most frequent mistakes.",
        )
    worst = [_sentence(own, data, i) for i in own.worst(_SENTENCES)]
    if worst:
        report.add_table(
            "The worst sequences",
            ("Sequence", "Wrong tags", "Where: true tag, and answer"),
            worst,
            "Those with the most wrong tags. A wrong tag in the data is often among them.",
        )
    _add_training(report, model)
    report.add_text("The data", list(data.notes) or ["Nothing was left out."])
    report.add_text("The model", _model_lines(model))
    return report


def _class_cells(row: tuple[object, float, float, float, int]) -> list[str]:
    label, *scores, support = row
    return [str(label), *(format_number(float(str(v))) for v in scores), f"{support:,}"]


def _sentence(own: TagScores, data: TagData, number: int) -> list[str]:
    wrong, parts = 0, []
    for step, (a, b) in enumerate(zip(own.truth[number], own.found[number], strict=True)):
        token = data.rows[number][step] if data.has_tokens else ""
        if a != b:
            wrong += 1
            parts.append(f"[{token or step + 1}: {a}, {b}]")
        elif token:
            parts.append(str(token))
    shown = " ".join(parts[:_SHOWN]) + " \N{HORIZONTAL ELLIPSIS}" * (len(parts) > _SHOWN)
    return [f"{number + 1:,}", f"{wrong:,}", shown]


def _add_training(report: Report, model: Tagger) -> None:
    history = model.fitted_.history
    if history is None:
        return
    columns = history.to_dict()
    scored = [
        (step, error)
        for step, error in zip(columns["step"], columns["validation"], strict=True)
        if error is not None
    ]
    best = history.best
    report.add_figure(
        "Training",
        training_figure(
            columns["step"],
            columns["train_loss"],
            [step for step, _ in scored],
            [error for _, error in scored],
            best_step=None if best is None else best.step,
        ),
        "The training loss is in nats a step; on the held-out part, one less the score.",
    )


def _model_lines(model: Tagger) -> list[str]:
    trunk, network = model.trunk, model.fitted_.network
    weights = sum(p.numel() for p in network.parameters())
    both = ", reading both ways" if trunk.bidirectional else ""
    chosen = "as a chain (CRF)" if network.crf is not None else "each for itself (softmax)"
    inner = model.tag_set_.inner_scheme
    scheme = "" if inner is None else f", spans written as {inner.upper()} inside"
    return [
        f"{model.feature_.kind.replace('_', ' ')}, {trunk.cell}, {trunk.units} units, "
        f"{trunk.layers} layer{'s' * (trunk.layers > 1)}{both}; {weights:,} weights. "
        f"Tags are chosen {chosen}{scheme}.",
        *front_lines(model.embedding),
    ]
