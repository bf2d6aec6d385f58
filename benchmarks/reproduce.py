"""Run the recipes, and rewrite the tables of docs/results.md that they made.

    python -m benchmarks.reproduce --data DATA                        # all of them: many hours
    python -m benchmarks.reproduce splice uea --data DATA --seeds 0 1 2
    python -m benchmarks.reproduce --list

DATA is the folder of the data sets; --list says which folder in it each recipe reads. A table goes
between the two comments that name its recipe; where the file has none, a section is added at its
end. Each table is written as soon as its recipe is done, the file in full or not at all, with the
date, the kind of machine and the command. Nothing else of the file changes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.engine.machine import facts
from relembra._files import atomic_write

RESULTS = Path("docs/results.md")
SECTION = "## Reproduced\n\nTables that `python -m benchmarks.reproduce` wrote: mean ± sd.\n"


@dataclass(frozen=True)
class Recipe:
    """A module of benchmarks.quality, the folder that it reads, a title, and options.

    Options make variants of a module. What reads no folder may need something else.
    """

    module: str
    folder: str | None
    title: str
    options: tuple[str, ...] = ()
    needs: str = "no data"

    def command(self, data: Path | None, seeds: Sequence[int]) -> list[str]:
        """Return the words of the command, without the interpreter."""
        words = ["-m", f"benchmarks.quality.{self.module}"]
        if self.folder is not None:
            words += ["--data", str((data or Path("DATA")) / self.folder)]
        return [*words, *self.options, "--seeds", *map(str, seeds)]


_FONTS = "the installed fonts"
RECIPES = {
    "m4_hourly": Recipe("m4_hourly", "forecasting/m4", "M4 Hourly"),
    "classic_series": Recipe("classic_series", "forecasting", "Classic series"),
    "movie_reviews": Recipe(
        "movie_reviews", "text_classification/mr_subj", "Movie reviews, ten folds"
    ),
    "told_br": Recipe("told_br", "text_classification/pt_told_br", "Portuguese tweets (ToLD-Br)"),
    "uea": Recipe("uea", "seq_classification/uea", "Sequences of the UEA archive"),
    "splice": Recipe("splice", "music_genome_gesture/splice", "DNA splice junctions"),
    "ewt_upos": Recipe("ewt_upos", "sequence_labelling/ud", "Parts of speech (UD English-EWT)"),
    "atis_slots": Recipe(
        "atis_slots", "sequence_labelling/atis", "Slots of airline questions (ATIS)"
    ),
    "gestures": Recipe("gestures", "seq_classification/uea", "Gestures with known segments"),
    "fsdd": Recipe("fsdd", "ctc/fsdd", "Spoken digits (FSDD)"),
    "fsdd_speakers": Recipe(
        "fsdd", "ctc/fsdd", "Spoken digits, unheard speakers", ("--split", "speakers")
    ),
    "mnist": Recipe("mnist", "seq_classification/mnist", "MNIST, row by row"),
    "mnist_pixels": Recipe(
        "mnist", "seq_classification/mnist", "MNIST, pixel by pixel", ("--order", "pixels")
    ),
    "letters": Recipe("letters", None, "Letters of fonts, as rows", needs=_FONTS),
    "letters_strokes": Recipe(
        "letters", None, "Letters of fonts, as strokes", ("--form", "strokes"), _FONTS
    ),
    "what_happens": Recipe("what_happens", None, "What happens in a clip"),
    "tiny_shakespeare": Recipe(
        "tiny_shakespeare", "language_model/tiny_shakespeare", "Tiny Shakespeare"
    ),
    "machado": Recipe("machado", "language_model/machado_de_assis", "Machado de Assis"),
    "jsb_chorales": Recipe("jsb_chorales", "music_genome_gesture/polyphonic_music", "JSB chorales"),
}


def table(scores: Sequence[dict[str, Any]]) -> str:
    """Return the scores as a Markdown table: a row a model and data set, mean ± sd over seeds."""
    kept = ("data", "model", "seed")
    measures = list(dict.fromkeys(key for row in scores for key in row if key not in kept))
    heads = [key for key in kept[:2] if any(key in row for row in scores)]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in scores:
        groups.setdefault(tuple(str(row.get(key, "")) for key in heads), []).append(row)
    lines = [_line([*heads, *measures, "seeds"]), _line(["---"] * (len(heads) + len(measures) + 1))]
    for names, rows in groups.items():
        cells = [_spread([row.get(measure) for row in rows]) for measure in measures]
        seeds = sorted({row["seed"] for row in rows if "seed" in row})
        lines.append(_line([*names, *cells, " ".join(map(str, seeds))]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _spread(values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean = f"{statistics.mean(known):.4f}"
    if len(set(known)) == 1:
        return mean  # a baseline that no seed changes
    return f"{mean} ± {statistics.stdev(known):.4f}"


def block(name: str, scores: Sequence[dict[str, Any]], seeds: Sequence[int]) -> str:
    """Return what stands between the comments of a recipe."""
    found = facts()
    shown = " ".join(["python", *RECIPES[name].command(None, seeds)])
    when = f"{found['date'].split(' ')[0]}, {found['processor']}, {found['instruction set']}, "
    when += f"PyTorch {found['torch']}."
    return f"{table(scores)}\n\n{when}\n\n```bash\n{shown}\n```"


def inserted(page: str, name: str, content: str) -> str:
    """Return the page with the content between the comments of a recipe.

    Raises
    ------
    ValueError
        One of the two comments stands there alone, or twice.
    """
    begin, end = f"<!-- reproduce: {name} -->", f"<!-- /reproduce: {name} -->"
    counts = page.count(begin), page.count(end)
    if counts == (0, 0):
        page = page.rstrip("\n") + "\n"
        page += "" if SECTION in page else f"\n{SECTION}"
        return page + f"\n### {RECIPES[name].title}\n\n{begin}\n{content}\n{end}\n"
    first, last = page.find(begin), page.find(end)
    if counts != (1, 1) or last < first:
        raise ValueError(f"expected {begin} and then {end}, each once; found them {counts} times")
    return f"{page[: first + len(begin)]}\n{content}\n{page[last:]}"


def run(name: str, data: Path | None, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Run one recipe in a process of its own, and return its scores."""
    with tempfile.TemporaryDirectory() as place:
        kept = Path(place, "scores.json")
        words = RECIPES[name].command(data, seeds)
        subprocess.run([sys.executable, *words, "--json", str(kept)], check=True)
        scores: list[dict[str, Any]] = json.loads(kept.read_text("utf-8"))
    return scores


def rewrite(path: Path, name: str, content: str) -> None:
    """Put a table into the page, which is never there by half."""
    page = inserted(path.read_text("utf-8"), name, content).encode()

    def write(file: BinaryIO) -> None:
        file.write(page)

    atomic_write(path, write, force=True)


def reproduce(
    names: Sequence[str],
    data: Path | None,
    seeds: Sequence[int],
    results: Path,
    run: Callable[..., list[dict[str, Any]]] = run,
) -> list[str]:
    """Run the recipes; return those that failed."""
    failed = []
    for name in names:
        print(f"\n{name}: {RECIPES[name].title}", flush=True)
        try:
            scores = run(name, data, seeds)
        except subprocess.CalledProcessError as error:
            print(f"{name} failed with exit code {error.returncode}: its table stays as it was")
            failed.append(name)
            continue
        rewrite(results, name, block(name, scores, seeds))
        print(table(scores), flush=True)
    return failed


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; return 1 if a recipe failed, 2 for what cannot be asked for."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.reproduce",
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="all where none is named")
    parser.add_argument("--data", type=Path, help="the folder of the data sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS, help="the page to rewrite")
    parser.add_argument("--list", action="store_true", help="say which recipes there are")
    given = parser.parse_args(arguments)
    if given.list:
        for name, recipe in RECIPES.items():
            reads = recipe.folder or f"needs {recipe.needs}"
            print(f"{name:17} {recipe.title:40} {reads}")
        return 0
    names = given.recipes or list(RECIPES)
    unknown = [name for name in names if name not in RECIPES]
    if unknown:
        parser.error(f"there is no recipe {unknown[0]!r}; known: {', '.join(RECIPES)}")
    if not given.results.is_file():
        parser.error(f"{given.results} is no file: run this at the top of a checkout")
    for name in names:
        folder = RECIPES[name].folder
        if folder is not None and (given.data is None or not (given.data / folder).is_dir()):
            parser.error(f"{name} reads the folder {folder} of --data, which is not there")
    failed = reproduce(names, given.data, given.seeds, given.results)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
