"""The `LanguageModel`: what comes next, in text or in music."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from relembra._errors import ConfigError, DataError
from relembra.nn import Trunk
from relembra.tasks._sequence import SettingsEstimator
from relembra.tasks.generate._corpus import TextFeature, frames_of, split_texts, stream_of
from relembra.tasks.generate._encoded_text import encoded_text
from relembra.tasks.generate._fitting import Run, fit_frames, fit_text, start_token
from relembra.tasks.generate._generating import Reader, pieces, ranked, tokens, until
from relembra.tasks.generate._model_file import load_language_model, save_language_model
from relembra.tasks.generate._network import LanguageNetwork
from relembra.tasks.generate._places import working_folder
from relembra.tasks.generate._sampling import Sampling
from relembra.tasks.generate._scores import LanguageScores
from relembra.tasks.generate._scoring import Row, frame_nats, row_nats, stream_nats
from relembra.tasks.generate._settings import (
    DEFAULT_LANGUAGE,
    DEFAULT_TRAINING,
    DEFAULT_TRUNK,
    Dynamic,
    Language,
    Outputs,
    Tokens,
)
from relembra.training import Subscriber, Training

__all__ = ["LanguageModel"]

Floats = NDArray[np.float64]


class LanguageModel(SettingsEstimator):
    r"""Predict the next character, word or subword of a text, or the next frame of music.

    Trained by truncated backpropagation through time: the text runs in ``training.batch_size`` rows
    side by side, `length` steps at a time, and the state is carried from one segment to the next.

    X is a text, a list of texts, or `pathlib.Path` objects that name text files of any size. With
    ``outputs="frames"`` X is a list of arrays (T, K) of zeros and ones, the K keys that sound.

    Parameters
    ----------
    tokens
        ``"characters"``, ``"words"`` or ``"subwords"``.
    outputs
        ``"tokens"``, or ``"frames"`` for binary frames.
    size, least, lower
        At most so many tokens, those seen at least so often, and whether words are put into small
        letters.
    length
        Steps that the gradient goes back.
    held_out
        Last part of the text or sequences, a million tokens at most, that training stops early by.
    language, trunk, training
        What surrounds the trunk, the trunk, and how it is trained.

    Attributes
    ----------
    feature_
        The tokens; None for frames.
    network_
        The trained network.
    history_
        How the training went.
    start_
        The token that stands before a text: the end of a line, where there is one.
    sample_
        The beginning of the training text.

    Examples
    --------
    >>> model = LanguageModel(
    ...     length=16,
    ...     trunk=Trunk(units=16),
    ...     training=Training(steps=100, batch_size=8, learning_rate=0.02),
    ... )
    >>> model = model.fit("the quick queen quits quietly\n" * 40)
    >>> next(iter(model.next_table("q")))
    'u'
    >>> len("".join(model.generate("the ", 20, seed=1)))
    20
    """

    def __init__(
        self,
        tokens: Tokens = "characters",
        *,
        outputs: Outputs = "tokens",
        size: int | None = None,
        least: int = 1,
        lower: bool = False,
        length: int = 128,
        held_out: float = 0.1,
        language: Language = DEFAULT_LANGUAGE,
        trunk: Trunk = DEFAULT_TRUNK,
        training: Training = DEFAULT_TRAINING,
    ) -> None:
        self.tokens = tokens
        self.outputs = outputs
        self.size = size
        self.least = least
        self.lower = lower
        self.length = length
        self.held_out = held_out
        self.language = language
        self.trunk = trunk
        self.training = training

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        validation: Any = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        force: bool = False,
        subscribers: Sequence[Subscriber] = (),
    ) -> Self:
        """Train.

        Parameters
        ----------
        X
            See the class; or a text that `prepared` made ready.
        y
            Nothing: a text is its own target.
        validation
            What training stops early by, instead of the last part of X.
        directory
            Folder for checkpoints, and for the tokens of text files; None keeps none.
        resume, force
            Go on from the checkpoint that is there, or replace it.
        subscribers
            Told about the progress, such as `relembra.training.ProgressBar`.

        Raises
        ------
        DataError
            The data cannot be used, or is too short.
        ConfigError
            A parameter makes no sense.
        OutputExistsError
            The directory holds a checkpoint, and neither `resume` nor `force` is given.
        """
        self._check_parameters()
        folder = None if directory is None else Path(directory)
        settings = (self.language, self.trunk, self.training, self.length)
        run = Run(*settings, folder, resume, force, subscribers)
        if self.outputs == "frames":
            fitted = fit_frames(run, X, validation, self.held_out)
        else:
            with working_folder(folder) as place:
                fitted = fit_text(run, encoded_text(self, X, validation, place))
        self.network_: LanguageNetwork = fitted.network
        self.feature_: TextFeature | None = fitted.feature
        self.history_ = fitted.history
        self.sample_: str = fitted.sample
        return self

    def prepared(self, rows: Any, truth: Any, folder: Path) -> tuple[Any, Any]:
        """Learn the tokens of a text and encode it, once for many models: see the base class."""
        self._check_parameters()
        return rows if self.outputs == "frames" else encoded_text(self, rows, None, folder), truth

    @property
    def start_(self) -> int:
        """The token that stands before a text."""
        return start_token(self._text())

    def evaluate(self, X: Any, *, dynamic: Dynamic | None = None) -> LanguageScores:
        """Score a text, texts as one, files, or sequences of frames.

        Every token counts, the first one after the token that stands before a text. Of frames, the
        first of a sequence does not count. More than 262,144 tokens are read in 32 rows side by
        side, each after the 256 tokens before it.

        Parameters
        ----------
        X
            As in `fit`.
        dynamic
            Let a copy of the model go on learning as it reads: see `Dynamic`. Text only.

        Returns
        -------
        LanguageScores

        Raises
        ------
        DataError
            The data cannot be used.
        """
        if self.outputs == "frames":
            if dynamic is not None:
                raise ConfigError("dynamic evaluation is for text; got outputs='frames'")
            sequences = frames_of(X, self._network().symbols)
            nats = float(frame_nats(self._network(), sequences).sum())
            return LanguageScores(nats, sum(len(s) - 1 for s in sequences))
        with working_folder(None) as place:
            stream = stream_of(split_texts(X, None, 0.0).training, self._text(), place)
            nats = stream_nats(self._network(), stream.ids, self.start_, dynamic)
            return LanguageScores(nats, len(stream), stream.characters)

    def score(self, X: Any, y: None = None) -> float:
        """Return the mean log-likelihood in nats per token, or per frame: greater is better."""
        return -self.evaluate(X).per_token

    def perplexity(self, X: Any, *, dynamic: Dynamic | None = None) -> float:
        """Return among how many equally likely tokens the model seems to choose."""
        return self.evaluate(X, dynamic=dynamic).perplexity

    def bits_per_character(self, X: Any, *, dynamic: Dynamic | None = None) -> float:
        """Return how many bits the model needs for a character of a text."""
        found = self.evaluate(X, dynamic=dynamic).bits_per_character
        if found is None:
            raise ConfigError("frames have no characters; take score or evaluate")
        return found

    def log_likelihood(self, X: Any) -> Floats:
        """Return the log-likelihood of each text, or sequence, in nats: (n,).

        The same bits for a text by itself and in any company.

        Raises
        ------
        DataError
            It is one text instead of several.
        """
        network = self._network()
        if self.outputs == "frames":
            return -frame_nats(network, frames_of(X, network.symbols))
        rows = [Row.of(ids, self.start_) for ids in _each(self._text(), X)]
        return -row_nats(network, rows)

    def next_table(self, context: str = "", *, most: int | None = None) -> dict[str, float]:
        r"""Return the probability of each token that may come next, the likeliest first.

        Parameters
        ----------
        context
            The text before; nothing is the beginning of a text.
        most
            So many of them; all when None.

        Returns
        -------
        dict
            Probabilities by token. What training never saw has the token ``"\ufffd"``.
        """
        return ranked(self._text(), self._reader(context)[0].log_probabilities(), most)

    def generate(
        self,
        prompt: str = "",
        length: int = 200,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float = 1.0,
        seed: int = 0,
        stop: str | Sequence[str] = (),
    ) -> Iterator[str]:
        """Write on after a prompt, piece by piece, in memory that does not grow.

        Parameters
        ----------
        prompt
            What to go on from; nothing is the beginning of a text.
        length
            Most tokens to write.
        temperature, top_k, top_p, repetition_penalty
            How each is chosen: see `Sampling`. Temperature 0 always takes the likeliest.
        seed
            Decides every draw: the same seed writes the same text.
        stop
            Text, or several, that ends the writing and is left out.

        Returns
        -------
        iterator of str
            Pieces of the text, without the prompt.

        Raises
        ------
        ConfigError
            A setting makes no sense, or the model writes frames: see `generate_frames`.
        """
        sampling = Sampling(
            temperature=temperature, top_k=top_k, top_p=top_p, repetition_penalty=repetition_penalty
        )
        if length < 0:
            raise ConfigError(f"length is {length}; expected 0 or more")
        stops = [stop] if isinstance(stop, str) else list(stop)
        if "" in stops:
            raise ConfigError("a stop is empty; expected at least one character")
        reader, before = self._reader(prompt)
        ids = tokens(reader, before, length, sampling, seed)
        return until(pieces(self._text(), before, ids), stops)

    def generate_frames(
        self, prompt: ArrayLike, length: int = 64, *, temperature: float = 1.0, seed: int = 0
    ) -> Iterator[NDArray[np.float32]]:
        """Go on after the frames of a prompt (T, K), one (K,) at a time.

        Parameters
        ----------
        prompt
            One frame or more.
        length
            Frames to write.
        temperature
            Below 1 likely keys become likelier; 0 takes those above one half.
        seed
            Decides every draw.

        Raises
        ------
        DataError
            The prompt has another number of keys.
        ConfigError
            The model writes text.
        """
        if self.outputs != "frames":
            raise ConfigError("the model writes text; take generate")
        from relembra.tasks.generate._music import write_frames

        return write_frames(self._network(), prompt, length, temperature, seed)

    def reader(self, prompt: str = "") -> Reader:
        """Return the model at the place behind a prompt, to be read on: see `Reader`."""
        return self._reader(prompt)[0]

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the model to one safetensors file; `load` brings it back.

        Raises
        ------
        OutputExistsError
            The file exists and `force` is not given.
        """
        self._network()
        save_language_model(self, path, force=force)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LanguageModel:
        """Read a model from its file; nothing in it is executed.

        Raises
        ------
        ArtifactError
            The file is missing, damaged, of another version or no language model.
        """
        return load_language_model(cls, path)

    def _reader(self, prompt: str) -> tuple[Reader, list[int]]:
        ids = self._text().ids(prompt).tolist() if prompt else []
        reader = Reader(self._network())
        reader.read(torch.tensor([self.start_, *ids]))
        return reader, ids

    def _network(self) -> LanguageNetwork:
        if not hasattr(self, "network_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError("the LanguageModel is not fitted; call fit or load first")
        return self.network_

    def _text(self) -> TextFeature:
        self._network()
        if self.feature_ is None:
            raise ConfigError("the model is one of frames and knows no text")
        return self.feature_

    def _check_parameters(self) -> None:
        self.check_settings(language=Language, trunk=Trunk, training=Training)
        if self.outputs not in ("tokens", "frames"):
            raise ConfigError(f"outputs is {self.outputs!r}; known: tokens, frames")
        if self.length < 1:
            raise ConfigError(f"length is {self.length}; expected 1 or more")


def _each(feature: TextFeature, texts: Sequence[str]) -> list[NDArray[Any]]:
    if isinstance(texts, str):
        raise DataError("got one text; expected a list of texts: put it into brackets")
    return [np.asarray(feature.ids(text)) for text in texts]
