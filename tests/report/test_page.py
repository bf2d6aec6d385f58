"""The page: self-contained, harmless whatever it is given, whole or not written."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest

from relembra import DataError, OutputExistsError
from relembra.report import Best, FigureChoice, Report

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)> & \" '"
FIGURE = {"data": [{"type": "scatter", "x": [1], "y": [2.0]}], "layout": {}}


class Page(HTMLParser):
    """Elements of a page with their attributes and the text right inside each."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.open = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.open = []
        self.elements.append((tag, dict(attrs), self.open))

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        if self.open is not None:
            self.open.append(data)

    def all(self, tag):
        return [(attrs, "".join(text)) for name, attrs, text in self.elements if name == tag]


def full():
    """Return a report with every kind of section, all of its text hostile."""
    report = Report(HOSTILE, HOSTILE, language="pt-BR")
    report.add_summary([HOSTILE])
    report.add_table(HOSTILE, [HOSTILE, "MASE"], [[HOSTILE, Best(HOSTILE)]], HOSTILE)
    hostile = {"data": [{"type": "scatter", "name": HOSTILE}], "layout": {"meta": {"zoomed": True}}}
    options = [(HOSTILE, hostile), ("b", FIGURE)]
    report.add_figure(HOSTILE, FigureChoice(HOSTILE, options, HOSTILE), HOSTILE)
    report.add_text(HOSTILE, [HOSTILE, "second"])
    return report


def test_hostile_text_is_shown_and_never_run():
    page = Page(full().html())
    kinds = [attrs.get("type") for attrs, _ in page.all("script")]
    assert kinds == ["application/json", "application/json", None, None]
    assert page.all("img") == []
    assert {attrs["rel"] for attrs, _ in page.all("link")} == {"icon"}
    assert page.all("h1")[0][1] == HOSTILE
    assert page.all("option")[0][1] == HOSTILE
    assert json.loads(page.all("script")[0][1])["data"][0]["name"] == HOSTILE
    assert not any(name.startswith("on") for _, attrs, _ in page.elements for name in attrs)


def test_nothing_is_loaded_from_anywhere():
    page = Page(full().html())
    loaded = [
        value
        for _, attrs, _ in page.elements
        for name, value in attrs.items()
        if name in {"src", "href", "srcset", "data", "action"}
    ]
    assert [value for value in loaded if not value.startswith("#")] == ["data:,"]
    assert "@import" not in page.all("style")[0][1]
    assert "url(" not in page.all("style")[0][1]


def test_the_policy_forbids_the_network_and_allows_our_scripts_alone():
    page = Page(full().html())
    policy = page.all("meta")[1][0]["content"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    scripts = [text for attrs, text in page.all("script") if not attrs.get("type")]
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert re.findall("'sha256-([^']+)'", policy) == hashes


def test_without_figures_there_is_no_script_at_all():
    report = Report("Words")
    report.add_text("One", "Two")
    text = report.html()
    assert "<script" not in text
    assert "script-src 'none'" in text
    assert len(text) < 20_000


def test_plotly_is_there_once_and_its_weight_is_stated():
    report = Report("Figures")
    for _ in range(3):
        report.add_figure("One", FIGURE)
    text = report.html()
    assert text.count("* plotly.js v") == 1
    stated = re.search(r"One file of (\d+\.\d) MB", text)
    assert float(stated[1]) == pytest.approx(len(text.encode()) / 1e6, abs=0.06)


def test_plotly_offers_no_button_that_sends_the_data_away():
    text = full().html()
    assert "modeBarButtons: [buttons]" in text
    assert 'plotlyServerURL: ""' in text


def test_language_headings_and_contents():
    page = Page(full().html())
    assert page.all("html")[0][0]["lang"] == "pt-BR"
    targets = {attrs["id"] for _, attrs, _ in page.elements if "id" in attrs}
    links = [attrs["href"][1:] for attrs, _ in page.all("a")]
    assert links == ["content", "s1", "s2", "s3"]
    assert set(links) <= targets


def test_lists_of_series_are_labelled_and_the_best_is_said():
    text = full().html()
    page = Page(text)
    assert page.all("label")[0][0]["for"] == page.all("select")[0][0]["id"]
    assert page.all("button")[0][1] == "Show the whole history"
    assert '<span class="hidden"> (best)</span>' in text


def test_one_figure_needs_neither_list_nor_button():
    report = Report("One")
    report.add_figure("Alone", FIGURE, "A note.")
    page = Page(report.html())
    assert page.all("select") == page.all("button") == []
    assert "A note." in report.html()


def test_plotly_objects_are_taken_too():
    report = Report("Plotly's own")
    report.add_figure("Bars", go.Figure(go.Bar(x=["a", "b"], y=[1, 2])))
    data = json.loads(Page(report.html()).all("script")[0][1])["data"]
    assert (data[0]["type"], data[0]["x"]) == ("bar", ["a", "b"])


def test_what_is_no_figure_or_a_ragged_table_is_refused():
    with pytest.raises(DataError, match="received int"):
        Report("x").add_figure("y", 3)
    with pytest.raises(DataError, match="nothing to show"):
        Report("x").add_figure("y", FigureChoice("Series", []))
    with pytest.raises(DataError, match="2 columns, but a row has 1"):
        Report("x").add_table("y", ["a", "b"], [["1"]])


def test_write_is_the_page_and_never_replaces_unasked(tmp_path):
    report = Report("Umlauts äöü – ✓")
    report.add_text("a", "b")
    path = tmp_path / "report.html"
    assert report.write(path) == path
    assert path.read_text("utf-8") == report.html()
    with pytest.raises(OutputExistsError):
        report.write(path)
    report.add_text("c", "d")
    report.write(path, force=True)
    assert path.read_text("utf-8") == report.html()
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
