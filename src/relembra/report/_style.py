"""Colours, lines and the common layout of every figure."""

from __future__ import annotations

from typing import Any

__all__ = ["BAND", "INK", "base_layout", "line_style", "plain"]

INK = "#1a1a1a"
BLUE = "#0072B2"

# Okabe and Ito's palette, told apart by people with any kind of colour vision; the dashes and
# marks tell the lines apart on grey paper too. Yellow is left out: on white it cannot be seen.
_LINES = (
    (BLUE, "solid", "circle"),
    ("#D55E00", "dash", "square"),
    ("#009E73", "dot", "diamond"),
    ("#CC79A7", "dashdot", "triangle-up"),
    ("#E69F00", "longdash", "x"),
    ("#56B4E9", "longdashdot", "star"),
)

# Fill colours of the wider and of the narrower interval.
BAND = ("rgba(0, 114, 178, 0.15)", "rgba(0, 114, 178, 0.25)")

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
_GRID = "#dddddd"


def line_style(index: int, *, marks: bool = False) -> dict[str, Any]:
    """Return the mode, line and marker of the ``index``-th model (they repeat after six)."""
    colour, dash, symbol = _LINES[index % len(_LINES)]
    style: dict[str, Any] = {
        "mode": "lines+markers" if marks else "lines",
        "line": {"color": colour, "width": 2, "dash": dash},
    }
    if marks:
        style["marker"] = {"color": colour, "symbol": symbol, "size": 7}
    return style


def base_layout(x_title: str, y_title: str, x_type: str = "linear") -> dict[str, Any]:
    """Return a layout with the legend above the plot, where a narrow screen has room for it."""
    axis = {
        "gridcolor": _GRID,
        "linecolor": "#666666",
        "zeroline": False,
        "ticks": "outside",
        "automargin": True,
    }
    return {
        "font": {"family": _FONT, "size": 14, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "margin": {"l": 56, "r": 24, "t": 40, "b": 48},
        "height": 440,
        "hovermode": "x unified",
        "hoverlabel": {"namelength": -1},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        "xaxis": axis | {"title": {"text": plain(x_title)}, "type": x_type},
        "yaxis": axis | {"title": {"text": plain(y_title)}},
    }


def plain(text: object) -> str:
    """Return text that Plotly shows as it is, since Plotly reads tags in labels as markup."""
    shown = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return shown.replace("\r", " ").replace("\n", " ")
