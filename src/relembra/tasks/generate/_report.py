"""The report of a language model: how well it predicts, how it learnt, what it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from relembra.report import Best, Report, format_number, training_figure
from relembra.tasks.generate._scores import LanguageScores

if TYPE_CHECKING:
    from relembra.tasks.generate._language_model import LanguageModel

__all__ = ["HEADER", "build_report", "score_lines", "score_rows", "verdict_line"]

HEADER = ("Model", "Bits per character", "Nats per token", "Perplexity", "Tokens")

Rows = Sequence[tuple[str, LanguageScores, str]]


def score_rows(rows: Rows) -> list[list[str]]:
    """Return the cells of a table of scores, those of the best model marked."""
    best = min(scores.nats for _, scores, _ in rows)
    return [_cells(name, scores, scores.nats == best) for name, scores, _ in rows]


def _cells(name: str, scores: LanguageScores, is_best: bool) -> list[str]:
    cells = [
        format_number(scores.bits_per_character or 0.0),
        format_number(scores.per_token),
        format_number(scores.perplexity),
    ]
    marked = [Best(cell) for cell in cells] if is_best else cells
    return [name, *marked, f"{scores.tokens:,}"]


def verdict_line(rows: Rows) -> str:
    """Say whether the model beats the best of its baselines; the plain truth where it lost."""
    name, ours, _ = rows[0]
    others = [(other, s) for other, s, note in rows[1:] if not other.startswith(name)]
    unit = f"{format_number(ours.bits_per_character or 0.0)} bits per character"
    if not others:
        return f"{name} needs {unit}; there is nothing beside it to compare."
    rival, theirs = min(others, key=lambda pair: pair[1].nats)
    beats = "beats" if ours.nats < theirs.nats else "does not beat"
    beside = format_number(theirs.bits_per_character or 0.0)
    return f"{name} {beats} {rival}: {unit}, where {rival} needs {beside}."


def score_lines(rows: Rows) -> str:
    """Return what is to be said about the scores."""
    notes = [f"{name}: {note}" for name, _, note in rows if note]
    return ". ".join(notes) + "." if notes else ""


def build_report(
    title: str, model: LanguageModel, rows: Rows, samples: Mapping[str, str]
) -> Report:
    """Return the report, ready to be written."""
    report = Report(f"Language model of {title}", f"{model.network_.symbols:,} {model.tokens}")
    report.add_summary(
        [
            verdict_line(rows),
            f"Measured on {rows[0][1].characters:,} characters that training never saw.",
        ]
    )
    report.add_table("How well it predicts", HEADER, score_rows(rows), score_lines(rows))
    columns, best = model.history_.to_dict(), model.history_.best
    validated = [v for v in columns["validation"] if v is not None]
    report.add_figure(
        "Training",
        training_figure(
            columns["step"],
            columns["train_loss"],
            columns["step"][: len(validated)],
            validated,
            best_step=None if best is None else best.step,
            loss_name="Nats per token",
        ),
        "The training loss includes dropout and penalties, the held-out one does not.",
    )
    for name, text in samples.items():
        report.add_text(f"What it writes, {name}", text.split("\n"))
    report.add_text("The model", _model_lines(model))
    return report


def _model_lines(model: LanguageModel) -> list[str]:
    trunk = model.trunk
    weights = sum(p.numel() for p in model.network_.parameters())
    last = model.history_.rows[-1]
    return [
        f"{trunk.cell}, {trunk.units} units, {trunk.layers} layer{'s' * (trunk.layers > 1)}, "
        f"{weights:,} weights; {last.step:,} steps of {model.training.batch_size} rows of "
        f"{model.length} {model.tokens} in {last.seconds:,.0f} seconds.",
        "It continues text in the manner of what it read. It knows nothing, and what it writes is "
        "not true but likely.",
    ]
