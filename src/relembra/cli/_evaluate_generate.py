"""`relembra evaluate` for language models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relembra.cli._output import Terminal
from relembra.cli._train_generate import show_scores

__all__ = ["evaluate_generate"]


def evaluate_generate(
    model: Path, texts: Sequence[Path], train: Sequence[Path] | None, terminal: Terminal
) -> None:
    """Score a language model on text files, beside 5-grams and xz of its training text if given."""
    from relembra.data import TextFiles
    from relembra.tasks import LanguageModel
    from relembra.tasks.generate import evaluate_model

    loaded = LanguageModel.load(model)
    learnt = TextFiles.of(train) if train else None
    found = evaluate_model(loaded, TextFiles.of(texts), learnt)
    verdict = show_scores(terminal, found)
    terminal.result({"job": "generate", "metrics": found.to_dict(), "verdict": [verdict]})
