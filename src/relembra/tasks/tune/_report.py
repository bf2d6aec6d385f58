"""The report of a search: the best settings, which of them mattered, and every trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relembra.report import (
    Best,
    FigureChoice,
    Report,
    bar_figure,
    curves_figure,
    format_number,
    search_figure,
    setting_figure,
)
from relembra.tasks.tune._jobs import MEASURES
from relembra.tasks.tune._trials import TrialRow, Tuning

__all__ = ["TRIAL_HEADER", "best_rows", "build_report", "summary_lines", "trial_rows"]

TRIAL_HEADER = ("Trial", "Validation", "How it ended", "Settings")

_AXES = {"cell": "category", "layers": "category", "dropout": "linear"}
_NAMES = {"learning_rate": "learning rate"}


def summary_lines(found: Tuning) -> list[str]:
    """Return what came of the search, in sentences."""
    measure, best, first = _measure(found), found.best, found.trials[0]
    lines = [f"The best {measure} is {_number(best.validation)}, of trial {best.number}."]
    if first.state == "done" and best.number != first.number:
        lines.append(f"The settings that were tried first have {_number(first.validation)}.")
    elif best.number == first.number:
        lines.append("Nothing was better than the settings that were tried first.")
    lines.append(
        f"{len(found.trials)} trials: {found.count('done')} ran to the end, "
        f"{found.count('pruned')} were pruned, {found.count('diverged')} diverged."
    )
    return lines


def best_rows(found: Tuning) -> list[list[str]]:
    """Return a row for each setting: its best value, the first, its importance."""
    best = found.best.settings
    return [
        [
            _NAMES.get(name, name),
            str(best[name]),
            str(found.first[name]),
            f"{100 * found.importance[name]:.0f} %" if name in found.importance else "\N{EN DASH}",
        ]
        for name in best
    ]


def trial_rows(found: Tuning) -> list[list[str]]:
    """Return a row for each trial, the best marked."""
    rows = []
    for trial in found.trials:
        shown = _number(trial.validation)
        ended = f"pruned at {trial.curve[-1][0]} %" if trial.state == "pruned" else trial.state
        if trial is found.best:
            shown = Best(shown)
        rows.append([str(trial.number), shown, ended, _settings(trial)])
    return rows


def build_report(title: str, found: Tuning, command: str, judged_by: str) -> Report:
    """Return the report, ready to be written.

    Parameters
    ----------
    title
        What it is about.
    found
        What the search found.
    command
        The command line that trains with the best settings.
    judged_by
        What data the trials were judged by.
    """
    measure = _measure(found)
    report = Report(f"Settings for {title}", f"{len(found.trials)} trials, judged by {measure}")
    report.add_summary(summary_lines(found))
    report.add_table(
        "The best settings",
        ("Setting", "Best", "First tried", "Importance"),
        best_rows(found),
        "First tried are the usual settings, moved into the space where they are outside of it. "
        "Importance: the share of a setting in the variance of the validation error, over the "
        "trials that ran to their end (fANOVA).",
    )
    report.add_text("The command that trains with them", command)
    _add_importance(report, found)
    done, pruned = _rated(found.trials, "done"), _rated(found.trials, "pruned")
    report.add_figure(
        "The history",
        search_figure(
            [(t.number, t.validation or 0.0) for t in done],
            [(t.number, t.validation or 0.0) for t in pruned],
            measure.capitalize(),
        ),
        "A pruned trial shows the lowest error up to where it was stopped.",
    )
    _add_settings(report, found, done, pruned, measure)
    report.add_figure(
        "How the trials learnt",
        curves_figure(
            {f"trial {t.number}": t.curve for t in [*done, *pruned]},
            f"trial {found.best.number}",
            measure.capitalize(),
        ),
    )
    report.add_table("Every trial", TRIAL_HEADER, trial_rows(found))
    report.add_text("What they were judged by", judged_by)
    return report


def _add_importance(report: Report, found: Tuning) -> None:
    if found.importance:
        shares = {_NAMES.get(name, name): share for name, share in found.importance.items()}
        report.add_figure(
            "Which settings mattered",
            bar_figure(shares, "Share of the variance"),
            "Of few trials it says little.",
        )
    else:
        report.add_text(
            "Which settings mattered", "Too few trials ran to their end to say which mattered."
        )


def _add_settings(
    report: Report,
    found: Tuning,
    done: Sequence[TrialRow],
    pruned: Sequence[TrialRow],
    measure: str,
) -> None:
    options = []
    for name in found.best.settings:
        if len({trial.settings[name] for trial in found.trials}) > 1:
            axis = _AXES.get(name, "log")
            ended, stopped = (_points(rows, name, axis) for rows in (done, pruned))
            shown = _NAMES.get(name, name)
            figure = setting_figure(ended, stopped, shown.capitalize(), measure.capitalize(), axis)
            options.append((shown, figure))
    if options:
        report.add_figure("Setting by setting", FigureChoice("Setting", options))


def _points(rows: Sequence[TrialRow], name: str, axis: str) -> list[tuple[Any, float]]:
    kind: type = str if axis == "category" else float
    return [(kind(row.settings[name]), row.validation or 0.0) for row in rows]


def _rated(trials: Sequence[TrialRow], state: str) -> list[TrialRow]:
    return [trial for trial in trials if trial.state == state]


def _settings(trial: TrialRow) -> str:
    return ", ".join(f"{_NAMES.get(k, k)} {value}" for k, value in trial.settings.items())


def _measure(found: Tuning) -> str:
    return MEASURES[type(found.model).__name__]


def _number(value: float | None) -> str:
    return format_number(value)
