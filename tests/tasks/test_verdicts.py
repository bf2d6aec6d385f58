"""What reports say where a baseline is better: one thing to use, and no more."""

import numpy as np

from relembra.tasks import classify, tag

TRUTH = np.array(["a", "b"] * 100)


class Right:
    """Answers right but for the first so many rows."""

    classes_ = np.array(["a", "b"])

    def __init__(self, wrong):
        self.wrong = wrong

    def predict(self, rows):
        """Return the answers."""
        return self.classes_[self.predict_proba(rows).argmax(1)]

    def predict_proba(self, rows):
        """Return (n, 2)."""
        places = np.asarray(rows)
        second = (TRUTH[places] == "b") != (places < self.wrong)
        return np.stack([1 - second, second], 1).astype(float)


def verdict_of_classifiers(*wrong):
    models = [(f"{n} wrong", Right(n)) for n in wrong]
    found = classify.evaluate_all(models, np.arange(200), TRUTH)
    return classify.verdict_lines(found, "rows")[1:-1]


def verdict_of_taggers(*wrong):
    rows = [[str(t)] for t in TRUTH]
    answers = [[[str(a)] for a in Right(n).predict(np.arange(200))] for n in wrong]
    found = [
        tag.tag_scores(f"{n} wrong", rows, a, spans=False)
        for n, a in zip(wrong, answers, strict=True)
    ]
    return tag.verdict_lines(found, "held out")[1:-1]


def test_only_the_best_of_those_that_are_better_is_to_be_used():
    for verdict in (verdict_of_classifiers, verdict_of_taggers):
        lines = verdict(100, 60, 20, 150)
        assert [line.split(" (")[0] for line in lines] == [
            "60 wrong is better here",
            "20 wrong is better here",
            "100 wrong beats 150 wrong",
        ]
        assert [line.endswith("Use it.") for line in lines] == [False, True, False]


def test_of_two_that_are_equally_good_the_first_is_to_be_used():
    for verdict in (verdict_of_classifiers, verdict_of_taggers):
        assert [line.endswith("Use it.") for line in verdict(100, 20, 20)] == [True, False]


def test_a_model_that_wins_is_not_to_be_replaced():
    for verdict in (verdict_of_classifiers, verdict_of_taggers):
        assert not any("Use it" in line for line in verdict(20, 60, 100))


def test_what_chance_explains_is_no_reason():
    assert verdict_of_classifiers(21, 20)[0].startswith("21 wrong and 20 wrong cannot be told")
