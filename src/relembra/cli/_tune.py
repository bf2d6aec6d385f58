"""`relembra tune JOB DATA`: the search for settings, one command a job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from relembra.cli._forecast import columns_of, forecaster_of
from relembra.cli._options import (
    BackSteps,
    Balanced,
    BatchSize,
    ClassFeatures,
    Context,
    Crf,
    Epochs,
    Force,
    Frequency,
    Horizon,
    Json,
    KnownColumns,
    LabelColumn,
    OneWay,
    Out,
    Part,
    PastColumns,
    Pooling,
    Quiet,
    Repair,
    Resume,
    Season,
    Seed,
    SeriesColumns,
    Space,
    SpanScheme,
    StaticColumns,
    Steps,
    TagFeatures,
    Targets,
    TestFile,
    TestPart,
    TestShare,
    TestTexts,
    TextColumn,
    Threads,
    TimeColumn,
    TimeFormat,
    TokenCount,
    TokenKind,
    Windows,
)
from relembra.cli._output import Terminal, blaming, set_threads
from relembra.cli._train_classify import classifier_of
from relembra.cli._train_generate import language_model_of
from relembra.cli._train_tag import tagger_of
from relembra.cli._tuning import (
    Cells,
    DropoutRange,
    LayersRange,
    LearningRates,
    Pruner,
    Search,
    Trials,
    UnitsRange,
)

__all__ = ["tune_app"]

_ROWS = (
    "A tenth of the rows that train learns from, held out by the seed as training holds them out "
    "to stop early. The rows that train scores on were not read by the search."
)


_HELP = """Search for the settings that suit some data; what is scored on stays untouched.

Examples: `relembra tune forecast sales.csv`, `relembra tune classify reviews.csv --trials 50`,
`relembra tune tag towns.conll --pruner hyperband`, `relembra tune generate novels/*.txt`.
It needs optuna: `pip install "relembra[tune]"`.
"""


def tune_app() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    for command in (forecast, classify, tag, generate):
        app.command()(command)
    return app


def classify(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="As `train classify` takes it.")],
    text: TextColumn = None,
    label: LabelColumn = None,
    part: Part = None,
    test: TestFile = None,
    test_part: TestPart = None,
    test_share: TestShare = 0.2,
    features: ClassFeatures = "auto",
    pooling: Pooling = None,
    balanced: Balanced = False,
    one_way: OneWay = False,
    steps: Steps = None,
    batch_size: BatchSize = None,
    cell: Cells = None,
    units: UnitsRange = None,
    layers: LayersRange = None,
    dropout: DropoutRange = None,
    learning_rate: LearningRates = None,
    trials: Trials = 30,
    pruner: Pruner = "median",
    resume: Resume = False,
    out: Out = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for the settings of a classifier.

    Options mean what they mean to `relembra train classify`. Rows that it would score on, the share
    or the files, are left alone.

    Examples: `relembra tune classify reviews.csv`,
    `relembra tune classify reviews.csv --trials 50 --units 64:512 --cell lstm,gru,rnn`
    """
    from relembra._random import derive
    from relembra.tasks.classify import read_labelled

    terminal = Terminal(quiet=quiet, as_json=as_json)
    search = Search(
        context, ("train", "classify"), [data], _choices(cell, units, layers, dropout,
        learning_rate), trials, pruner, out, resume, force, terminal,
    )  # fmt: skip
    set_threads(threads)
    budget = {"steps": steps, "batch_size": batch_size, "seed": seed}
    model = classifier_of(features, pooling, balanced, "lstm", one_way, {}, budget)
    rows = read_labelled(data, text=text, label=label, part=part)
    if test is None and test_part is None:
        with blaming(data):
            rows, _ = rows.split(test_share, derive(seed, "test"))
    search.run(model.settled(rows.rows), _shared(rows.rows, rows.labels), _ROWS)


def tag(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="As `train tag` takes it.")],
    text: TextColumn = None,
    label: LabelColumn = None,
    part: Part = None,
    test: TestFile = None,
    test_part: TestPart = None,
    test_share: TestShare = 0.2,
    repair: Repair = False,
    features: TagFeatures = "auto",
    crf: Crf = None,
    scheme: SpanScheme = None,
    one_way: OneWay = False,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    cell: Cells = None,
    units: UnitsRange = None,
    layers: LayersRange = None,
    dropout: DropoutRange = None,
    learning_rate: LearningRates = None,
    trials: Trials = 30,
    pruner: Pruner = "median",
    resume: Resume = False,
    out: Out = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for the settings of a tagger.

    Options mean what they mean to `relembra train tag`. Sequences that it would score on, the share
    or the files, are left alone.

    Examples: `relembra tune tag towns.conll`,
    `relembra tune tag en-train.conllu --column UPOS --test en-test.conllu --pruner hyperband`
    """
    from relembra._random import derive
    from relembra.tasks.tag import read_tag_data

    terminal = Terminal(quiet=quiet, as_json=as_json)
    search = Search(
        context, ("train", "tag"), [data], _choices(cell, units, layers, dropout, learning_rate),
        trials, pruner, out, resume, force, terminal,
    )  # fmt: skip
    set_threads(threads)
    budget = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    model = tagger_of(features, crf, scheme, repair, "lstm", one_way, {}, budget)
    check = not repair and crf is not False
    rows = read_tag_data(data, word=text, column=label, part=part, check=check)
    if test is None and test_part is None:
        with blaming(data):
            rows, _ = rows.split(test_share, derive(seed, "test"))
    search.run(
        model.settled(rows.rows), _shared(rows.rows, rows.tags), _ROWS.replace("rows", "sequences")
    )


def generate(
    context: typer.Context,
    texts: Annotated[
        list[Path], typer.Argument(metavar="TEXT...", help="As `train generate` takes them.")
    ],
    tokens: TokenKind = "characters",
    size: TokenCount = None,
    test: TestTexts = None,
    length: BackSteps = 128,
    steps: Steps = None,
    batch_size: BatchSize = None,
    cell: Cells = None,
    units: UnitsRange = None,
    layers: LayersRange = None,
    dropout: DropoutRange = None,
    learning_rate: LearningRates = None,
    trials: Trials = 30,
    pruner: Pruner = "median",
    resume: Resume = False,
    out: Out = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for the settings of a language model.

    Options mean what they mean to `relembra train generate`. The text that it would score on, the
    last tenth or the files, is left alone; fewer steps make the search quick.

    Example: `relembra tune generate novels/*.txt --steps 1000 --trials 20 --units 256:1024`
    """
    from relembra.data import TextFiles
    from relembra.tasks.generate import training_text

    terminal = Terminal(quiet=quiet, as_json=as_json)
    search = Search(
        context, ("train", "generate"), texts, _choices(cell, units, layers, dropout,
        learning_rate), trials, pruner, out, resume, force, terminal,
    )  # fmt: skip
    set_threads(threads)
    budget = {"steps": steps, "batch_size": batch_size, "seed": seed}
    model = language_model_of(tokens, size, length, "lstm", {}, budget)
    learning = TextFiles.of(texts) if test else training_text(TextFiles.of(texts))
    held = "The last tenth of the text that train learns from, which training stops early by. "
    search.run(model, _shared(learning), held + "The text that it scores on was not read.")


def forecast(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="As `forecast` takes it.")],
    time_column: TimeColumn = None,
    target: Targets = None,
    series: SeriesColumns = None,
    known: KnownColumns = None,
    past: PastColumns = None,
    static: StaticColumns = None,
    time_format: TimeFormat = None,
    frequency: Frequency = None,
    horizon: Horizon = None,
    context_steps: Context = None,
    season: Season = None,
    windows: Windows = None,
    space: Space = "auto",
    steps: Steps = None,
    batch_size: BatchSize = None,
    cell: Cells = None,
    units: UnitsRange = None,
    layers: LayersRange = None,
    dropout: DropoutRange = None,
    learning_rate: LearningRates = None,
    trials: Trials = 30,
    pruner: Pruner = "median",
    resume: Resume = False,
    out: Out = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for the settings of a forecaster.

    Options mean what they mean to `relembra forecast`. The windows of its backtest are left alone.

    Examples: `relembra tune forecast sales.csv`,
    `relembra tune forecast sales.csv --series shop --horizon 14 --trials 40`
    """
    from relembra.tasks.forecast import RunFolder, before_backtest, check_job, read_series

    terminal = Terminal(quiet=quiet, as_json=as_json)
    search = Search(
        context, ("forecast",), [data], _choices(cell, units, layers, dropout, learning_rate),
        trials, pruner, out, resume, force, terminal,
    )  # fmt: skip
    set_threads(threads)
    columns = columns_of(time_column, target, series, known, past, static, time_format)
    budget = {"steps": steps, "batch_size": batch_size, "seed": seed}
    model = forecaster_of(
        horizon, context_steps, season, frequency, columns, space, "lstm", {}, budget
    )
    panel, reading = read_series(data, columns, frequency)
    for line in reading.lines():
        terminal.say(line)
    with blaming(data):
        check_job(model, panel, windows=windows)
        model, until = before_backtest(model, panel, windows)

    def fit(one: Any, *, directory: Path | None, resume: bool, subscribers: Any) -> object:
        folder = RunFolder(directory, resume)
        return one.fit_panel(panel, until, folder=folder, subscribers=subscribers)

    held = "The end of what precedes the windows of the backtest, where forecast finds its number "
    search.run(model, fit, held + "of steps. The windows themselves were not looked at.")


def _choices(
    cell: str | None,
    units: str | None,
    layers: str | None,
    dropout: str | None,
    learning_rate: str | None,
) -> dict[str, str | None]:
    return {
        "cell": cell,
        "units": units,
        "layers": layers,
        "dropout": dropout,
        "learning_rate": learning_rate,
    }


def _shared(rows: Any, truth: Any = None) -> Any:
    """Return the data that every trial is fitted on."""
    from relembra.tasks.tune import SharedData

    return SharedData(rows, truth)
