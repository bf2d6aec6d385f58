"""Brazilian tweets, toxic or not (Leite et al. 2020): macro F1 beside bags of words.

    python -m benchmarks.quality.told_br --data DATA/text_classification/pt_told_br --seeds 0 1 2

A tweet is toxic if any of three people said so. A fifth is held out by the seed 0, of each label
alike, and never seen by training; every part of the recipe is the default.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality._scores import Score, json_option, write_scores
from relembra.data import read_texts
from relembra.evaluation import classification_scores
from relembra.tasks import Classifier
from relembra.tasks._sequence import hold_out
from relembra.tasks.classify import BagOfWords


def main() -> None:
    """Print the macro F1 of each seed, beside bags of words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--features", default="auto")
    parser.add_argument("--tune", action="store_true", help="score on a part of the training part")
    json_option(parser)
    args = parser.parse_args()
    scores: list[Score] = []
    torch.set_num_threads(1)
    data = read_texts(args.data / "told_br.tsv.gz", text="text", label="toxic")
    labels = np.array(data.labels)
    early, late = hold_out(len(labels), 0.2, 0, labels=labels)
    if args.tune:
        kept, held = hold_out(len(early), 0.2, 1, labels=labels[early])
        early, late = early[kept], early[held]
    some, rest = [data.texts[i] for i in early], [data.texts[i] for i in late]
    ours, theirs = [], []
    for seed in args.seeds:
        began = time.process_time()
        model = Classifier(args.features).set_params(training__seed=seed)
        model.fit(some, labels[early])
        seconds = time.process_time() - began
        bag = BagOfWords(model.feature_, some, labels[early], share=0.1, seed=seed)
        for found, one in ((ours, model), (theirs, bag)):
            found.append(classification_scores(labels[late], one.predict(rest)).macro_f1)
        print(f"seed {seed}: {ours[-1]:.4f}, bag of words {theirs[-1]:.4f}, {seconds:.0f} s of "
              "one core", flush=True)  # fmt: skip
        cell = model.recipe_.trunk.cell
        scores.append({"model": cell, "seed": seed, "macro F1": ours[-1]})
        scores.append({"model": "bag of words", "seed": seed, "macro F1": theirs[-1]})
    write_scores(args, scores)
    print(f"mean {np.mean(ours):.4f}, spread {np.std(ours):.4f}; bag of words "
          f"{np.mean(theirs):.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
