"""The Python in README and docs/ runs, page by page, block after block, in a folder with data."""

import doctest
import io
import math
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").glob("**/*.md")])
# ```python is run; ```pycon is run and its output compared; ```text, ```bash … are only shown.
BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def write_sales(path: Path) -> None:
    """Write eight years of monthly sales, with trend and season: the file that pages speak of."""
    rows = [
        f"{2016 + month // 12}-{month % 12 + 1:02d},"
        f"{100 + month + 20 * math.sin(month * math.pi / 6):.1f}"
        for month in range(96)
    ]
    path.write_text("month,sales\n" + "\n".join(rows) + "\n")


def run_session(text: str, names: dict[str, object], where: str) -> None:
    """Run lines that begin with >>> and compare what they print."""
    session = doctest.DocTestParser().get_doctest(text, names, where, where, 0)
    out = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    assert runner.run(session, out=out.write, clear_globs=False).failed == 0, out.getvalue()
    names.update(session.globs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_examples_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sales(tmp_path / "sales.csv")
    names: dict[str, object] = {"__name__": "__main__"}
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line = text[: found.start()].count("\n") + 2
        kind, code = found.groups()
        if kind == "pycon":
            run_session(code, names, f"{page.name}:{line}")
        else:
            with redirect_stdout(io.StringIO()):
                # The blank lines make a traceback name the line of the page.
                exec(compile("\n" * (line - 1) + code, str(page), "exec"), names)
