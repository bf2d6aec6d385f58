"""The report: one HTML file that holds all it needs and opens without network."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from relembra._errors import DataError
from relembra.report._figures import FigureChoice
from relembra.report._html import figure_html, note_html, paragraph_html, table_html

__all__ = ["Report"]

_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{css}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>{title}</h1>
{subtitle}{contents}</header>
<main id="content">
{body}
</main>
<footer>
<p>{footer}</p>
</footer>
{scripts}
</body>
</html>
"""

# Nothing may be loaded from anywhere, and no script may run but those whose hash is given. Styles
# are allowed because Plotly sets them as it draws; data: and blob: images are its PNG download.
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)


class Report:
    """Build a report section by section, then write it as one HTML file.

    All text is shown as it is: markup in a title, a cell or a series' name stays harmless text.
    Plotly's script, about 4.8 MB, is part of the file once if there is a figure.

    Parameters
    ----------
    title
        The heading, and the title of the browser's tab.
    subtitle
        A line below it.
    language
        The language of the text, as a BCP 47 tag such as "en" or "pt-BR".

    Examples
    --------
    >>> report = Report("Sales", "Twelve months ahead")
    >>> report.add_summary(["LSTM beats seasonal naive: its MASE is 23 % lower."])
    >>> report.add_table("Scores", ["Model", "MASE"], [["LSTM", "0.77"]])
    >>> "<h1>Sales</h1>" in report.html()
    True
    """

    def __init__(self, title: str, subtitle: str = "", *, language: str = "en") -> None:
        self.title = title
        self.subtitle = subtitle
        self.language = language
        self._summary: list[str] = []
        self._sections: list[tuple[str, str]] = []
        self._figures = 0

    def add_summary(self, lines: Sequence[str]) -> None:
        """Add lines to the box at the top; the first of all is the most prominent.

        Parameters
        ----------
        lines
            Sentences, each on a line of its own.
        """
        self._summary += lines

    def add_text(self, title: str, text: str | Sequence[str]) -> None:
        """Add a section of plain text.

        Parameters
        ----------
        title
            Its heading.
        text
            A paragraph, or several.
        """
        paragraphs = [text] if isinstance(text, str) else text
        self._sections.append((title, "".join(paragraph_html(one) for one in paragraphs)))

    def add_table(
        self,
        title: str,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        note: str = "",
    ) -> None:
        """Add a section with a table.

        Parameters
        ----------
        title
            Its heading.
        header
            Column titles.
        rows
            Cells as text; the first of a row names it, ``Best`` marks the best of a column.
        note
            What to say below.

        Raises
        ------
        DataError
            A row has not as many cells as the header.
        """
        for row in rows:
            if len(row) != len(header):
                raise DataError(f"table {title!r}: {len(header)} columns, but a row has {len(row)}")
        self._sections.append((title, table_html(title, header, rows) + note_html(note)))

    def add_figure(self, title: str, figure: FigureChoice | Any, note: str = "") -> None:
        """Add a section with a figure.

        Parameters
        ----------
        title
            Its heading.
        figure
            A :data:`Figure`, a Plotly figure object, or a :class:`FigureChoice`, of which the
            reader chooses one from a list.
        note
            What to say below, after the choice's own note.

        Raises
        ------
        DataError
            It is none of these, or a choice without options.
        """
        self._figures += 1
        choice = figure if isinstance(figure, FigureChoice) else FigureChoice("", [("", figure)])
        if not choice.options:
            raise DataError(f"figure {title!r} has nothing to show")
        notes = " ".join(part for part in (choice.note, note) if part)
        self._sections.append((title, figure_html(title, choice, self._figures) + note_html(notes)))

    def html(self) -> str:
        """Return the page.

        Returns
        -------
        str
            A whole HTML document.
        """
        scripts = _scripts() if self._figures else []
        hashes = " ".join(_source_hash(script) for script in scripts) or "'none'"
        filled = {
            "language": escape(self.language),
            "title": escape(self.title),
            "policy": _POLICY.format(scripts=hashes),
            "css": _asset("page.css"),
            "subtitle": f'<p class="subtitle">{escape(self.subtitle)}</p>\n' * bool(self.subtitle),
            "contents": self._contents(),
            "body": self._body(),
            "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
        }
        size = len("".join(filled.values()).encode())
        return _PAGE.format(**filled, footer=_footer(size, bool(scripts)))

    def write(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the page, whole or not at all.

        Parameters
        ----------
        path
            The file, usually ``report.html``.
        force
            Replace a file that exists.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OutputExistsError
            The file exists, and ``force`` is not given.
        """
        from relembra._files import atomic_write

        page = self.html().encode()
        atomic_write(path, lambda file: _write_all(file, page), force=force)
        return Path(path)

    def _contents(self) -> str:
        if len(self._sections) < 3:
            return ""
        items = "".join(
            f'<li><a href="#s{number}">{escape(title)}</a></li>'
            for number, (title, _) in enumerate(self._sections, 1)
        )
        return f'<nav aria-label="Contents"><ul>{items}</ul></nav>\n'

    def _body(self) -> str:
        parts = []
        if self._summary:
            lines = "".join(paragraph_html(line) for line in self._summary)
            parts.append(f'<div class="summary">{lines}</div>')
        for number, (title, content) in enumerate(self._sections, 1):
            parts.append(
                f'<section id="s{number}" aria-labelledby="h{number}">\n'
                f'<h2 id="h{number}">{escape(title)}</h2>\n{content}\n</section>'
            )
        return "\n".join(parts)


def _write_all(file: Any, page: bytes) -> None:
    file.write(page)


def _asset(name: str) -> str:
    return resources.files("relembra.report").joinpath(name).read_text("utf-8")


def _scripts() -> list[str]:
    from plotly.offline import get_plotlyjs

    # HTML readers turn CR LF into LF, which would change the hash.
    return [script.replace("\r\n", "\n") for script in (get_plotlyjs(), _asset("page.js"))]


def _source_hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _footer(size: int, has_plotly: bool) -> str:
    what = " with Plotly's drawing script inside" if has_plotly else ""
    weight = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
    return escape(f"Made by Relembra. One file of {weight}{what}; it opens without network.")
