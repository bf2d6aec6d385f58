"""The elements of a report as HTML; everything that comes from outside is escaped here."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

from relembra.report._figures import FigureChoice, figure_json
from relembra.report._tables import Best, Picture

__all__ = ["figure_html", "note_html", "paragraph_html", "table_html"]


def paragraph_html(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>\n"


def note_html(text: str) -> str:
    """Return a paragraph in smaller print, or nothing."""
    return f'<p class="note">{escape(text)}</p>' if text else ""


def table_html(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; its title is the name by which a screen reader announces it."""
    # A wide table scrolls in its own box; the box can be focused so that keys scroll it too.
    kinds = [_column_class(rows, column) for column in range(len(header))]
    head = "".join(
        f'<th scope="col"{kind}>{escape(text)}</th>'
        for text, kind in zip(header, kinds, strict=True)
    )
    body = "".join(f"<tr>{_cells(row, kinds)}</tr>\n" for row in rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}">\n'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n"
    )


def _cells(row: Sequence[str], kinds: Sequence[str]) -> str:
    shown = [_cell(cell) for cell in row]
    first = f'<th scope="row">{shown[0]}</th>' if shown else ""
    rest = zip(shown[1:], kinds[1:], strict=True)
    return first + "".join(f"<td{kind}>{cell}</td>" for cell, kind in rest)


def _cell(cell: str) -> str:
    if isinstance(cell, Best):
        return f'<strong>{escape(cell)}</strong><span class="hidden"> (best)</span>'
    if isinstance(cell, Picture):
        source = base64.b64encode(cell.png).decode()
        return f'<img alt="" src="data:image/png;base64,{source}"><br>{escape(cell)}'
    return escape(str(cell))


def _column_class(rows: Sequence[Sequence[str]], column: int) -> str:
    """Return the class attribute that sets a column of words, not numbers, to the left."""
    words = any(sum(sign.isalpha() for sign in str(row[column])) > 3 for row in rows)
    return ' class="text"' if words else ""


def figure_html(title: str, choice: FigureChoice, number: int) -> str:
    """Return a figure: its controls, the place to draw in, and the data of every option."""
    data = "\n".join(
        f'<script type="application/json">{figure_json(figure)}</script>'
        for _, figure in choice.options
    )
    return (
        f'<figure data-title="{escape(title)}">\n<div class="controls">{_controls(choice, number)}'
        f'</div>\n<div class="plot" role="img" aria-label="{escape(title)}"></div>\n{data}\n'
        "<noscript><p>This figure needs JavaScript.</p></noscript>\n</figure>\n"
    )


def _controls(choice: FigureChoice, number: int) -> str:
    parts = []
    if len(choice.options) > 1:
        options = "".join(f"<option>{escape(name)}</option>" for name, _ in choice.options)
        parts.append(
            f'<label for="choice{number}">{escape(choice.label)}</label>'
            f'<select id="choice{number}" autocomplete="off">{options}</select>'
        )
    if any(_zoomed(figure) for _, figure in choice.options):
        parts.append('<button type="button">Show the whole history</button>')
    return "".join(parts)


def _zoomed(figure: Any) -> bool:
    layout = figure.get("layout", {}) if isinstance(figure, dict) else {}
    return bool(layout.get("meta", {}).get("zoomed"))
