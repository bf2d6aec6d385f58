"""Tests of fit: what it learns, keeps, reports and refuses."""

import threading
import warnings

import pytest
import torch
from torch import nn

from relembra._errors import (
    ArtifactError,
    ConfigError,
    DataError,
    DivergenceError,
    OutputExistsError,
)
from relembra._files import read_tensors, write_tensors
from relembra.training import (
    Aborted,
    Checkpointed,
    Evaluated,
    Finished,
    NothingToResume,
    Started,
    StepDone,
    Training,
    fit,
)

SGD = {"optimizer": "sgd", "learning_rate": 0.1, "clip_norm": None}


class Ones:
    """A source whose batches are all x = 1."""

    carries_state = False

    def batches(self, epoch):
        return 4

    def batch(self, epoch, index):
        return torch.ones(2)

    def starts_segment(self, epoch, index):
        return True


def test_two_steps_of_gradient_descent_to_the_digit(toy):
    # loss (w + b - 2)^2: gradient 2 (w + b - 2) for both. Step 1: w = b = 0.4, loss 4.
    # Step 2: the loss is 1.2^2 = 1.44, w = b = 0.4 + 0.1 * 2.4 = 0.64.
    objective = toy.LineObjective()
    history = fit(objective, Ones(), Training(steps=2, evaluate_every=2, **SGD))
    torch.testing.assert_close(objective.module.w.detach(), torch.tensor([0.64]))
    torch.testing.assert_close(objective.module.b.detach(), torch.tensor([0.64]))
    assert [row.step for row in history] == [2]
    assert history[0].train_loss == pytest.approx((4 + 1.44) / 2)
    assert history[0].validation is None
    assert history.reason == "steps"
    assert not objective.module.training


def test_the_gradient_is_clipped_to_the_norm(toy):
    # The first gradient is (-4, -4), of norm 4 sqrt(2); clipped to 1 the step is 0.1 / sqrt(2).
    objective, events = toy.LineObjective(), toy.Recorder()
    training = Training(steps=1, optimizer="sgd", learning_rate=0.1, clip_norm=1.0)
    fit(objective, Ones(), training, subscribers=[events])
    torch.testing.assert_close(objective.module.w.detach(), torch.tensor([0.1 * 0.5**0.5]))
    assert events.of(StepDone)[0].gradient_norm == pytest.approx(4 * 2**0.5)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_finds_the_line(toy, optimizer):
    objective = toy.LineObjective()
    training = Training(steps=300, optimizer=optimizer, learning_rate=0.1, schedule="linear")
    fit(objective, toy.Batches(), training)
    assert objective.module.w.item() == pytest.approx(2.0, abs=1e-2)


def test_frozen_parameters_stay(toy):
    objective = toy.LineObjective(toy.Line(frozen=True))
    fit(objective, Ones(), Training(steps=3, **SGD))
    assert objective.module.b.item() == 0.0
    assert objective.module.w.item() > 0.0


def test_batches_come_in_order_over_epochs(toy):
    source = toy.Batches(count=3)
    history = fit(toy.LineObjective(), source, Training(epochs=2, steps=1, evaluate_every=None))
    assert source.asked == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert [(row.step, row.epoch) for row in history] == [(3, 1), (6, 2)]


def test_events_tell_the_whole_run(toy, tmp_path):
    events = toy.Recorder()
    training = Training(steps=3, evaluate_every=2, checkpoint_every=2, **SGD)
    fit(toy.LineObjective(), Ones(), training, directory=tmp_path, subscribers=[events])
    kinds = [Started, StepDone, StepDone, Evaluated, Checkpointed, StepDone, Evaluated]
    assert [type(event) for event in events.events] == [*kinds, Checkpointed, Finished]
    assert events.events[0] == Started(step=0, steps=3, resumed=False)
    assert events.events[-1] == Finished(step=3, reason="steps")


# --- validation ---------------------------------------------------------------------------


def scripted(errors):
    """A validation that returns given numbers."""
    remaining = list(errors)
    return lambda: remaining.pop(0)


def test_patience_stops_and_the_best_weights_stay(toy):
    objective, seen = toy.LineObjective(), []
    errors = scripted([3.0, 2.0, 2.5, 2.0, 9.0])

    def validate():
        seen.append(objective.module.w.item())
        return errors()

    training = Training(steps=100, evaluate_every=2, patience=2, **SGD)
    history = fit(objective, Ones(), training, validate=validate)
    assert history.reason == "patience"
    assert [row.validation for row in history] == [3.0, 2.0, 2.5, 2.0]
    assert history.best.step == 4  # an equal error is no improvement
    assert objective.module.w.item() == seen[1] != seen[-1]


def test_without_patience_the_budget_is_used_up(toy):
    training = Training(steps=8, evaluate_every=1, patience=None)
    history = fit(toy.LineObjective(), Ones(), training, validate=lambda: 1.0)
    assert len(history) == 8
    assert history.reason == "steps"


def test_validation_runs_in_eval_mode_without_gradients_and_touches_no_stream(toy):
    def run(validate):
        objective = toy.NetObjective()
        modes = []

        def wrapped():
            modes.append((objective.module.training, torch.is_grad_enabled()))
            return validate()

        steps = {"steps": 6, "evaluate_every": 2, "patience": None}
        fit(objective, toy.Batches(9, False, (4, 6, 3)), Training(**steps), validate=wrapped)
        assert modes == [(False, False)] * 3
        return objective.module.state_dict()

    falling = iter(range(10, 0, -1))  # so that the last weights are the best
    quiet = run(lambda: next(falling))
    falling = iter(range(10, 0, -1))
    noisy = run(lambda: next(falling) + torch.rand(100).sum().item() * 0)
    assert all(torch.equal(quiet[name], noisy[name]) for name in quiet)


def test_the_callers_random_stream_goes_on_as_if_nothing_had_been(toy):
    objective = toy.NetObjective()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(objective, toy.Batches(9, False, (4, 6, 3)), Training(steps=2))
    assert torch.equal(torch.rand(3), expected)


def test_the_seed_decides_the_dropout(toy):
    def weights(seed):
        objective = toy.NetObjective()
        fit(objective, toy.Batches(9, False, (4, 6, 3)), Training(steps=2, seed=seed))
        return objective.module.out.weight.detach().clone()

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_averaged_weights_are_validated_and_kept(toy):
    # w = b after steps 1, 2 with rate 0.1: 0.4, 0.64. Decays 1/10 and 2/11 from w = 0:
    # 0.9 * 0.4 = 0.36; 0.36 * 2/11 + 0.64 * 9/11 = 0.589091.
    objective, seen = toy.LineObjective(), []

    def validate():
        seen.append(objective.module.w.item())
        return -seen[-1]

    training = Training(steps=2, evaluate_every=1, average=0.999, **SGD)
    fit(objective, Ones(), training, validate=validate)
    assert seen == pytest.approx([0.36, 0.589091])
    assert objective.module.w.item() == seen[-1]
    objective = toy.LineObjective()
    fit(objective, Ones(), training)
    assert objective.module.w.item() == seen[-1]  # without validation too


def test_a_plateau_halves_the_rate(toy):
    training = Training(steps=6, evaluate_every=1, schedule="plateau", plateau=2, **SGD)
    history = fit(toy.LineObjective(), Ones(), training, validate=lambda: 1.0)
    assert [row.learning_rate for row in history] == [0.1, 0.1, 0.1, 0.05, 0.05, 0.025]


# --- carried state ------------------------------------------------------------------------


class Counting:
    """Carries the number of batches since the start of the segment."""

    def __init__(self, toy):
        self.module, self.seen = toy.Line(), []

    def loss(self, batch, state):
        count = 0 if state is None else int(state[0])
        self.seen.append(count)
        assert state is None or not state[1][0].requires_grad  # detached
        h = self.module(batch).mean()
        return h.square(), (torch.tensor(count + 1), [h, None])


def test_state_is_carried_detached_and_dropped_at_segments(toy):
    objective = Counting(toy)
    fit(objective, toy.Batches(5, True, segment=3), Training(steps=7))
    assert objective.seen == [0, 1, 2, 0, 1, 0, 1]  # the epochs have 5 batches


def test_full_backpropagation_carries_nothing(toy):
    objective = Counting(toy)
    fit(objective, toy.Batches(5, False), Training(steps=4))
    assert objective.seen == [0, 0, 0, 0]


def test_a_state_that_cannot_be_carried_is_named(toy):
    objective = toy.LineObjective()
    objective.loss = lambda batch, state: (objective.module(batch).mean(), {"h": 1})
    with pytest.raises(ConfigError, match="the objective carries a dict"):
        fit(objective, toy.Batches(5, True), Training(steps=4))


# --- refusals -----------------------------------------------------------------------------


def test_modules_that_cannot_learn_are_named(toy):
    with pytest.raises(ConfigError, match="Tanh has no parameters; there is nothing to train"):
        fit(toy.LineObjective(nn.Tanh()), Ones(), Training())
    frozen = toy.Line().requires_grad_(False)
    with pytest.raises(ConfigError, match=r"all 2 parameters of Line are frozen"):
        fit(toy.LineObjective(frozen), Ones(), Training())
    with pytest.raises(ConfigError, match=r"LazyLinear\.weight has no shape yet"):
        fit(toy.LineObjective(nn.LazyLinear(1)), Ones(), Training())


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda m, x: m(x), r"the loss has shape \(2,\); it must be one number"),
        (lambda m, x: m(x).mean().detach(), "carries no gradient"),
        (lambda m, x: x.clone().requires_grad_().sum(), "depends on no trainable parameter"),
    ],
    ids=["vector", "detached", "unrelated"],
)
def test_losses_that_teach_nothing_are_named(toy, loss, message):
    objective = toy.LineObjective()
    objective.loss = lambda batch, state: (loss(objective.module, batch), None)
    with pytest.raises(ConfigError, match=message):
        fit(objective, Ones(), Training())


def test_an_empty_source_is_named(toy):
    with pytest.raises(ConfigError, match="nothing to train on: epoch 0 has 0 batches"):
        fit(toy.LineObjective(), toy.Batches(0), Training())


def test_plateau_needs_a_validation_and_resume_a_directory(toy):
    with pytest.raises(ConfigError, match="needs a validation"):
        fit(toy.LineObjective(), Ones(), Training(schedule="plateau"))
    with pytest.raises(ConfigError, match="resume needs the directory"):
        fit(toy.LineObjective(), Ones(), Training(), resume=True)


def test_an_error_in_a_worker_arrives_as_it_is(toy, monkeypatch):
    class Broken(toy.Batches):
        def batch(self, epoch, index):
            raise DataError("'n/a' is not a number", path="a.csv", line=3)

    events = toy.Recorder()
    with pytest.raises(DataError) as caught:
        fit(toy.LineObjective(), Broken(), Training(workers=1), subscribers=[events])
    assert str(caught.value) == "a.csv, line 3: 'n/a' is not a number"
    assert events.events[-1] == Aborted(0, "DataError")


# --- divergence ---------------------------------------------------------------------------


def test_a_loss_that_is_nan_is_named_and_the_best_weights_stay(toy, tmp_path):
    objective, events = toy.LineObjective(poison_at=6), toy.Recorder()
    training = Training(steps=10, evaluate_every=2, checkpoint_every=100, **SGD)
    errors = scripted([2.0, 3.0])
    with pytest.raises(DivergenceError) as caught:
        fit(objective, Ones(), training, validate=errors, directory=tmp_path, subscribers=[events])
    text = str(caught.value)
    assert "at step 6: the loss is nan, at learning rate 0.1 with clip_norm=None" in text
    assert "lower learning_rate (such as 0.03), a warmup, or clip_norm=1" in text
    assert "The best weights so far are kept (step 2, validation 2)" in text
    assert events.events[-1] == Aborted(5, "diverged")
    tensors, data = read_tensors(tmp_path / "checkpoint.safetensors", kind="checkpoint")
    assert torch.equal(tensors["best/parameters/w"], objective.module.w.detach())
    assert objective.module.w.item() == pytest.approx(0.64)  # after step 2
    assert data["state"]["step"] == 5
    assert torch.isfinite(tensors["weights/parameters/w"]).all()


def test_a_gradient_that_is_not_finite_is_named(toy):
    objective = toy.LineObjective()
    objective.loss = lambda batch, state: (objective.module(batch * 0).sqrt().sum(), None)
    with pytest.raises(DivergenceError, match=r"at step 1: the norm of the gradient is (nan|inf)"):
        fit(objective, Ones(), Training())
    assert objective.module.w.item() == 0.0


def test_a_validation_that_is_nan_is_named_and_infinity_is_no_improvement(toy):
    training = Training(steps=3, evaluate_every=1)
    with pytest.raises(DivergenceError, match="the validation is nan"):
        fit(toy.LineObjective(), Ones(), training, validate=lambda: float("nan"))
    errors = scripted([1.0, float("inf"), 0.5])
    assert fit(toy.LineObjective(), Ones(), training, validate=errors).best.step == 3


# --- checkpoints that do not fit ----------------------------------------------------------


def test_a_resume_without_checkpoint_starts_anew_and_says_so(toy, tmp_path):
    events = toy.Recorder()
    folder = tmp_path / "new" / "folder"
    options = {"directory": folder, "resume": True, "subscribers": [events]}
    fit(toy.LineObjective(), Ones(), Training(steps=1), **options)
    assert events.events[0] == NothingToResume(folder / "checkpoint.safetensors")
    assert events.events[1] == Started(0, 1, False)


def test_an_existing_checkpoint_is_kept_unless_forced(toy, tmp_path):
    fit(toy.LineObjective(), Ones(), Training(steps=1), directory=tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(OutputExistsError, match="holds a run that began before. Resume it"):
        fit(toy.LineObjective(), Ones(), Training(steps=2), directory=tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    history = fit(toy.LineObjective(), Ones(), Training(steps=2), directory=tmp_path, force=True)
    assert history[-1].step == 2


def test_a_second_run_in_the_same_folder_is_told(toy, tmp_path):
    def intrude(event):
        if isinstance(event, StepDone):
            write_tensors(tmp_path / "checkpoint.safetensors", {}, {}, kind="checkpoint")

    with pytest.raises(OutputExistsError):
        fit(
            toy.LineObjective(),
            Ones(),
            Training(steps=1),
            directory=tmp_path,
            subscribers=[intrude],
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"learning_rate": 0.5, "seed": 1}}, r"learning_rate was 0\.1 and is 0\.5"),
        ({"training": {"seed": 1}}, "Training.seed was 0 and is 1"),
        ({"identity": {"data": "def"}}, "data was 'abc' and is 'def'"),
        ({"identity": {}}, r"data was 'abc' and is '\(absent\)'"),
        ({"module": nn.Linear(2, 1)}, r"parameters/b is float32 \(1,\) there and absent here"),
        ({"frozen": True}, "frozen parameters was "),
    ],
    ids=["rate", "seed", "identity", "absent", "module", "frozen"],
)
def test_a_checkpoint_of_another_run_is_refused_by_name(toy, tmp_path, changes, message):
    settings = {"steps": 4, **SGD}
    options = {"directory": tmp_path, "identity": {"data": "abc"}}
    fit(toy.LineObjective(), Ones(), Training(**settings), **options)
    module = changes.get("module", toy.Line(frozen=changes.get("frozen", False)))
    training = Training(**{**settings, **changes.get("training", {})})
    options["identity"] = changes.get("identity", {"data": "abc"})
    with pytest.raises(ArtifactError, match=message):
        fit(toy.LineObjective(module), Ones(), training, **options, resume=True)


def test_shapes_are_compared(toy, tmp_path):
    def objective(size):
        made = toy.LineObjective(nn.Linear(size, 1))
        made.loss = lambda batch, state: (made.module.weight.square().sum(), None)
        return made

    fit(objective(2), Ones(), Training(steps=1), directory=tmp_path)
    with pytest.raises(
        ArtifactError, match=r"weight is float32 \(1, 2\) there and .*\(1, 3\) here"
    ):
        fit(objective(3), Ones(), Training(steps=1), directory=tmp_path, resume=True)


def test_indifferent_settings_may_change(toy, tmp_path):
    fit(toy.LineObjective(), Ones(), Training(steps=2), directory=tmp_path)
    training = Training(steps=2, checkpoint_every=1, workers=1)
    fit(toy.LineObjective(), Ones(), training, directory=tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused(toy, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    fit(toy.LineObjective(), Ones(), Training(steps=1), directory=tmp_path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ArtifactError, match="truncated"):
        fit(toy.LineObjective(), Ones(), Training(steps=1), directory=tmp_path, resume=True)
    for data in ({}, {"settings": settings_of(path, tmp_path, toy)}):
        write_tensors(path, {}, data, kind="checkpoint", force=True)
        with pytest.raises(ArtifactError, match=r"checkpoint\.safetensors (is damaged|belongs)"):
            fit(toy.LineObjective(), Ones(), Training(steps=1), directory=tmp_path, resume=True)


def settings_of(path, folder, toy):
    fit(toy.LineObjective(), Ones(), Training(steps=1), directory=folder, force=True)
    return read_tensors(path, kind="checkpoint")[1]["settings"]


def test_another_thread_count_is_reported(toy, tmp_path):
    fit(toy.LineObjective(), Ones(), Training(steps=1), directory=tmp_path)
    torch.set_num_threads(2)
    with pytest.warns(UserWarning, match=r"threads: 1 then, 2 now.*not the same to the last bit"):
        fit(toy.LineObjective(), Ones(), Training(steps=1), directory=tmp_path, resume=True)


def test_a_file_in_the_place_of_the_folder_is_named(toy, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="cannot use the folder"):
        fit(toy.LineObjective(), Ones(), Training(steps=1), directory=tmp_path / "file")


def test_training_in_another_thread_works(toy, tmp_path):
    result = []

    def work():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result.append(toy.run("dropout", tmp_path / "thread")[0])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert result == [toy.run("dropout", tmp_path / "main")[0]]
