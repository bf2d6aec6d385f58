"""Sentences of film reviews (Pang & Lee 2005), good or bad: ten folds.

    python -m benchmarks.quality.movie_reviews --data DATA/text_classification/mr_subj --seeds 0 1 2

Every part of the recipe is the default of `relembra train classify`. The folds are drawn by the
seed 0; each network stops by a tenth of its own training part, and never sees its fold. Beside it:
logistic regression on bags of words, and naive Bayes' SVM (Wang & Manning 2012).
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality._scores import Score, json_option, write_scores
from relembra._random import generator
from relembra.data import Words
from relembra.tasks import Classifier
from relembra.tasks.classify import BagOfWords

# Kim 2014: a convolutional network from nothing. Wang & Manning 2012: naive Bayes' SVM, pairs.
PUBLISHED = {"CNN-rand": 0.761, "NB-SVM": 0.794}


def read(folder: Path) -> tuple[list[str], np.ndarray]:
    """Return the sentences, and 1 for the good ones."""
    parts = []
    for name in ("mr.neg.txt.gz", "mr.pos.txt.gz"):
        with gzip.open(folder / name, "rt", encoding="utf-8", errors="replace") as file:
            parts.append(file.read().splitlines())
    return parts[0] + parts[1], np.repeat([0, 1], [len(part) for part in parts])


def naive_bayes_svm(texts: list[str], labels: np.ndarray, others: list[str]) -> np.ndarray:
    """Return what Wang & Manning's method (section 2.3; C = 1, beta = 0.25) says of others."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.svm import LinearSVC

    cut = Words.fit([])

    def runs(text: str) -> list[str]:
        words = cut.words(text)
        return words + [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]

    count = CountVectorizer(analyzer=runs, binary=True)
    early, late = count.fit_transform(texts), count.transform(others)
    parts = [np.asarray(early[labels == label].sum(0)).ravel() + 1.0 for label in (0, 1)]
    ratio = np.log(parts[1] / parts[1].sum()) - np.log(parts[0] / parts[0].sum())
    model = LinearSVC(C=1.0).fit(early.multiply(ratio).tocsr(), labels)
    weights = model.coef_.ravel()
    weights = 0.75 * np.abs(weights).mean() + 0.25 * weights
    return (late.multiply(ratio).tocsr() @ weights + 0.25 * model.intercept_ > 0).astype(int)


def main() -> None:
    """Print the accuracy of each fold and seed, beside the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(10)))
    json_option(parser)
    args = parser.parse_args()
    scores: list[Score] = []
    torch.set_num_threads(1)
    texts, labels = read(args.data)
    place = generator(0, "folds").permutation(len(texts)) % 10
    others: dict[int, tuple[float, float]] = {}
    means = []
    for seed in args.seeds:
        ours = []
        for fold in args.folds:
            early, late = np.flatnonzero(place != fold), np.flatnonzero(place == fold)
            some, rest = [texts[i] for i in early], [texts[i] for i in late]
            began = time.process_time()
            model = Classifier().set_params(training__seed=seed).fit(some, labels[early])
            seconds = time.process_time() - began
            ours.append(model.score(rest, labels[late]))
            if fold not in others:
                bag = BagOfWords(model.feature_, some, labels[early], share=0.1, seed=0)
                found = bag.predict(rest), naive_bayes_svm(some, labels[early], rest)
                others[fold] = tuple(float(np.mean(one == labels[late])) for one in found)
            print(f"seed {seed}, fold {fold}: {ours[-1]:.4f}, bag of words "
                  f"{others[fold][0]:.4f}, NB-SVM {others[fold][1]:.4f}, {seconds:.0f} s of one "
                  "core", flush=True)  # fmt: skip
        means.append(float(np.mean(ours)))
        scores.append({"model": model.recipe_.trunk.cell, "seed": seed, "accuracy": means[-1]})
        print(f"seed {seed}: mean {means[-1]:.4f}", flush=True)
    bag, svm = np.mean(list(others.values()), axis=0)
    scores += [{"model": name, "accuracy": float(one)}
               for name, one in (("bag of words", bag), ("NB-SVM", svm))]  # fmt: skip
    write_scores(args, scores)
    print(f"mean {np.mean(means):.4f}, spread of the seeds {np.std(means):.4f}; bag of words "
          f"{bag:.4f}, NB-SVM {svm:.4f}; published {PUBLISHED}")  # fmt: skip


if __name__ == "__main__":
    main()
