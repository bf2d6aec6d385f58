"""The search for settings: what it tries, prunes, keeps and repeats."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.base import clone
from tests.tasks.generate.small import TEXT, tiny
from tests.tasks.small import tiny as small_forecaster

from relembra._errors import (
    ArtifactError,
    ConfigError,
    DivergenceError,
    MissingExtraError,
    OutputExistsError,
)
from relembra.data import Characters, WordCharacters, _text_stream
from relembra.tasks import Classifier, Forecaster, LanguageModel, Tagger
from relembra.tasks.classify import DEFAULT_TRAINING, DEFAULT_TRUNK
from relembra.tasks.forecast import _inputs
from relembra.tasks.tune import Between, OneOf, SearchSpace, TuneFiles, search, tune
from relembra.tasks.tune._space import read_choice
from relembra.tasks.tune._tuning import configured
from relembra.training import Evaluated, HistoryRow, Started

pytestmark = pytest.mark.usefixtures("unflushed_studies")

SETTLED = Classifier(trunk=DEFAULT_TRUNK, training=DEFAULT_TRAINING)
SMALL = SearchSpace(units=Between(8, 64), learning_rate=Between(1e-3, 1e-1))


def error_of(model):
    """Return a made-up validation error, least near 20 units and a rate of 0.01."""
    return abs(model.trunk.units - 20) / 20 + abs(model.training.learning_rate - 0.01) * 10


class Trainer:
    """Stands in for training: ten evaluations whose error falls to the model's own."""

    def __init__(self, dies_in=None):
        self.models, self.directories, self.dies_in = [], [], dies_in

    def __call__(self, model, *, directory, resume, subscribers):
        self.models.append(model)
        self.directories.append(directory)
        best = None
        self.tell(subscribers, Started(0, 100, False))
        for k in range(1, 11):
            if self.dies_in == (len(self.models), k):
                raise KeyboardInterrupt
            error = error_of(model) + 1 / k
            best = error if best is None else min(best, error)
            row = HistoryRow(10 * k, 0, error, error, 0.1, 0.0)
            self.tell(subscribers, Evaluated(row, best, True))

    def tell(self, subscribers, event):
        for subscriber in subscribers:
            subscriber(event)


def found(**options):
    return search(SETTLED, Trainer(), space=SMALL, **{"trials": 11, **options})


def test_a_search_finds_what_is_good_and_repeats_itself():
    first, second = found(), found()
    assert first.trials == second.trials
    assert first.importance == second.importance
    assert first.best.validation == min(t.validation for t in first.trials if t.state == "done")
    assert first.best.validation < first.trials[0].validation
    assert first.model.trunk.units == first.best.settings["units"]
    assert first.model.training.learning_rate == first.best.settings["learning_rate"]
    assert not hasattr(first.model, "fitted_")
    assert sum(first.importance.values()) == pytest.approx(1)
    most = sorted(first.importance, key=first.importance.get)[-2:]
    assert set(most) == {"units", "learning_rate"}
    other = search(clone(SETTLED).set_params(training__seed=1), Trainer(), space=SMALL, trials=3)
    assert [t.settings for t in other.trials[1:]] != [t.settings for t in first.trials[1:3]]


def test_the_estimators_own_settings_come_first():
    model = SETTLED
    first = found(trials=1).trials[0].settings
    assert first["units"] == 64  # 100 is outside of the space
    assert (first["cell"], first["layers"]) == ("lstm", 1)
    assert first["learning_rate"] == model.training.learning_rate


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_poor_trials_are_pruned_and_their_curves_kept(pruner):
    result = found(pruner=pruner, trials=16)
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert pruned
    for trial in pruned:
        assert trial.curve[-1][0] < 100
        assert trial.validation == pytest.approx(min(error for _, error in trial.curve))
    assert [p for p, _ in result.best.curve] == list(range(10, 101, 10))
    assert found(pruner="none", trials=16).count("pruned") == 0


@pytest.mark.parametrize(("pruner", "moment"), [("median", (4, 5)), ("hyperband", (10, 1))])
def test_a_search_that_stopped_goes_on_to_the_same_trials(tmp_path, pruner, moment):
    whole = found(pruner=pruner)
    files = TuneFiles(tmp_path / "kept")
    with pytest.raises(KeyboardInterrupt):
        search(
            SETTLED, Trainer(dies_in=moment), space=SMALL, trials=11, pruner=pruner,
            files=files,
        )  # fmt: skip
    again = Trainer()
    result = search(SETTLED, again, space=SMALL, trials=11, pruner=pruner, files=files, resume=True)
    assert result.trials == whole.trials
    assert result.importance == whole.importance
    # What had ended was not trained again; what had not, goes on in its own folder.
    assert len(again.models) == 12 - moment[0]
    assert again.directories[0] == files.trials / str(moment[0])


def test_more_trials_are_added(tmp_path):
    files = TuneFiles(tmp_path)
    few = found(files=files, trials=2)
    more = found(files=files, trials=3, resume=True)
    assert more.trials[:2] == few.trials and len(more.trials) == 3
    assert found(files=files, trials=1, resume=True).trials == more.trials


def test_diverging_trials_are_noted():
    def fit(model, **options):
        if model.trunk.cell == "gru":
            raise DivergenceError("the loss is nan")
        Trainer()(model, **options)

    result = search(SETTLED, fit, space=SMALL, trials=8, pruner="none")
    gone = [trial for trial in result.trials if trial.state == "diverged"]
    assert gone and all(t.settings["cell"] == "gru" and t.validation is None for t in gone)
    only = SearchSpace(cell=OneOf(("gru",)))
    with pytest.raises(ConfigError, match="diverged in every trial"):
        search(SETTLED, fit, space=only, trials=2)


def test_real_trainings_and_their_folders(tmp_path):
    X, y = ["a good film", "a bad film", "good", "so bad"] * 8, [1, 0] * 16
    model = Classifier().set_params(training__steps=6, training__evaluate_every=2)
    few = SearchSpace(units=OneOf((3, 5)), layers=OneOf((1,)))
    kept = tune(model, X, y, space=few, trials=2, directory=tmp_path / "kept")
    assert kept.trials == tune(model, X, y, space=few, trials=2).trials
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["study.db"]
    fitted = kept.model.fit(X, y)
    assert fitted.fitted_.history.best.validation == kept.best.validation


def calls_of(monkeypatch, place, name):
    """Return a list that grows with each call of a function."""
    real, calls = getattr(place, name), []

    def counted(*values, **options):
        calls.append(values)
        return real(*values, **options)

    monkeypatch.setattr(place, name, counted)
    return calls


def interrupted(title):
    """Make a subscriber that ends a search in its second trial."""

    def watch(event):
        if title == "trial 2 of 3" and isinstance(event, Started):
            raise KeyboardInterrupt

    return [watch]


def test_a_text_is_encoded_once_for_all_trials(tmp_path, monkeypatch):
    text, kept = tmp_path / "foxes.txt", tmp_path / "kept"
    text.write_text(TEXT)
    model = tiny(training={"steps": 4, "evaluate_every": 2})
    few = {"space": SearchSpace(units=OneOf((3, 5)), layers=OneOf((1,))), "trials": 3}
    each = search(model, lambda one, **options: one.fit(text, **options), **few)
    learnt = calls_of(monkeypatch, Characters, "fit")
    encoded = calls_of(monkeypatch, _text_stream, "_encode")
    assert tune(model, text, **few).trials == each.trials
    assert (len(learnt), len(encoded)) == (1, 2)  # to learn from, and to stop by
    with pytest.raises(KeyboardInterrupt):
        tune(model, text, **few, directory=kept, watch=interrupted)
    assert len(list(kept.glob("trials/shared/text-*"))) == 2
    assert (len(learnt), len(encoded)) == (2, 4)
    assert tune(model, text, **few, directory=kept, resume=True).trials == each.trials
    assert (len(learnt), len(encoded)) == (3, 4)  # what was encoded before is mapped again
    assert tune(model, text, **few, directory=kept, resume=True).trials == each.trials
    assert len(learnt) == 3  # there was nothing left to train
    assert [path.name for path in kept.iterdir()] == ["study.db"]
    assert tune(model, TEXT, **few).trials == each.trials
    assert (len(learnt), len(encoded)) == (4, 4)


def test_sequences_and_tables_are_read_once_for_all_trials(tmp_path, monkeypatch):
    few = {"space": SearchSpace(units=OneOf((3, 5)), layers=OneOf((1,))), "trials": 2}
    rows = [["to", "Rio"], ["from", "Lima"], ["to", "Lima"]] * 4, [["O", "B-x"]] * 12
    model = Tagger(validation=0.25).set_params(training__epochs=2).settled(rows[0])
    each = search(model, lambda one, **options: one.fit(*rows, **options), **few)
    encoded = calls_of(monkeypatch, WordCharacters, "encode")
    assert tune(model, *rows, **few).trials == each.trials
    assert len(encoded) == 1
    table = tmp_path / "sales.csv"
    days = [f"2024-01-{day:02d},{day % 7}" for day in range(1, 32)]
    table.write_text("\n".join(["day,sales", *days]) + "\n")
    model = small_forecaster(2)
    each = search(model, lambda one, **options: one.fit(table, **options), **few)
    read = calls_of(monkeypatch, _inputs, "read_panel")
    assert tune(model, table, **few).trials == each.trials
    assert len(read) == 1
    days = [day % 7 for day in range(31)]
    again = tune(model, None, days, **few)  # in scikit-learn's way
    assert again.trials == search(model, lambda one, **o: one.fit(None, days, **o), **few).trials


def test_every_estimator_has_a_space():
    for estimator in (Forecaster(), SETTLED, Tagger().settled([]), LanguageModel()):
        result = search(estimator, Trainer(), trials=1)
        assert result.trials[0].settings["units"] == estimator.trunk.units
        assert type(result.model) is type(estimator)
    with pytest.raises(ConfigError, match="no search is known for dict"):
        search({}, Trainer())


def test_a_trunk_without_memory_can_be_among_the_cells():
    settings = {"cell": "feedforward", "units": 7, "layers": 1, "dropout": 0.1}
    trunk = configured(SETTLED, settings | {"learning_rate": 0.01}).trunk
    assert (trunk.cell, trunk.units, trunk.bidirectional) == ("feedforward", 7, False)
    seeing = Classifier().settled(np.zeros((4, 9)))  # through convolutions
    assert seeing.embedding.convolutions
    for cell in ("feedforward", "gru"):
        model = configured(seeing, settings | {"learning_rate": 0.01, "cell": cell})
        alone = Classifier().set_params(trunk__cell=cell, trunk__bidirectional=cell == "gru")
        assert model.embedding == alone.recipe_for(np.zeros((4, 9))).embedding


def test_nothing_is_overwritten_and_no_other_search_goes_on(tmp_path):
    files = TuneFiles(tmp_path)
    found(files=files, trials=1)
    with pytest.raises(OutputExistsError, match="study.db exists"):
        found(files=files, trials=2)
    other = SearchSpace(units=Between(8, 32))
    with pytest.raises(ArtifactError, match='units was "8:64", now "8:32"'):
        search(SETTLED, Trainer(), space=other, files=files, resume=True)
    with pytest.raises(ArtifactError, match="pruner"):
        found(files=files, pruner="none", resume=True)
    assert len(found(files=files, trials=1, force=True).trials) == 1


def test_what_makes_no_sense_is_said_before_anything_is_written(tmp_path):
    files = TuneFiles(tmp_path / "new")
    for space, message in (
        (SearchSpace(dropout=Between(0.5, 1.5)), "dropout is a probability"),
        (SearchSpace(cell=OneOf(("lstm", "lstn"))), "unknown cell 'lstn'"),
        (SearchSpace(units=Between(0, 9)), "units is 0; .* 1 or more"),
    ):
        with pytest.raises(ConfigError, match=message):
            search(SETTLED, Trainer(), space=space, files=files)
    one = {"cell": "gru", "units": 3, "layers": 1, "dropout": 0.0, "learning_rate": 0.1}
    fixed = SearchSpace(**{name: OneOf((value,)) for name, value in one.items()})
    with pytest.raises(ConfigError, match="nothing to search"):
        search(SETTLED, Trainer(), space=fixed, files=files)
    with pytest.raises(ConfigError, match="unknown pruner"):
        found(pruner="axe")
    with pytest.raises(ConfigError, match="trials is 0"):
        found(trials=0)
    assert not files.folder.exists()
    few = Classifier().set_params(training__steps=1)
    with pytest.raises(ConfigError, match="holds nothing out"):
        tune(few, ["a", "b"], [0, 1], directory=files.folder)
    assert not list(files.folder.iterdir())


@pytest.mark.parametrize(
    ("name", "text", "choice"),
    [
        ("units", "32:256", Between(32, 256)),
        ("units", "64", OneOf((64,))),
        ("learning_rate", "1e-4,0.01", OneOf((1e-4, 0.01))),
        ("cell", "gru,rnn", OneOf(("gru", "rnn"))),
    ],
)
def test_choices_are_read_and_written(name, text, choice):
    assert read_choice(name, text) == choice
    assert read_choice(name, str(choice)) == choice


@pytest.mark.parametrize("text", ["", "a", "1:2:3", "9:4", "4:", "1,1", "2.5", ":"])
def test_choices_that_are_none(text):
    with pytest.raises(ConfigError):
        read_choice("units", text)


def test_optuna_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"relembra\[tune\]"):
        found()
