"""How symbols and frames become vectors: settings that trunk and training do not have."""

from __future__ import annotations

from relembra._config import config, replace
from relembra._errors import ConfigError

__all__ = ["DEFAULT_EMBEDDING", "Embedding"]


@config
class Embedding:
    """How symbols (characters, words, pieces of words) and frames become vectors.

    Parameters
    ----------
    size
        Features of a symbol's vector, or of that of an image in a sequence of images.
    dropout
        Rate at which training drops whole symbols.
    feature_dropout
        Rate at which training drops features of the vectors, at each step anew.
    unknown_rate
        Rate at which training takes a symbol for an unknown one, so that the unknown one's vector
        is learned, and a word's characters are relied upon where it has them inside.
    characters, character_units
        Where words have their characters inside: features of a character's vector, and units in
        each direction of the network that reads a word.
    frames
        Features that a linear layer makes of numeric frames before the trunk; 0 for no such layer.
    positions
        Features, an even number, that tell the trunk the place of each step: for sequences that are
        aligned with each other, as pieces of DNA around a junction are.
    convolutions
        Layers of `relembra.nn.Convolutions` before the trunk: each step then sees its neighbours,
        those before it alone where the trunk reads one way.
    window, maps, map_dropout
        Steps that such a layer sees, features that it makes, and the rate at which training drops
        them.
    warp
        Training stretches the bands of each recording's spectra by up to this share, as those of
        a longer or shorter throat are, so that speakers who were never heard are understood.
    band_mask, step_mask
        Training hides up to this share of neighbouring bands (or channels, or pixels of a row),
        and of neighbouring steps.
    tempo
        Training plays each sequence of frames faster or slower by up to this share; for
        classifiers only, as a tag belongs to its step.
    jitter, gain
        Standard deviation of the noise that training adds to each standardised number of a frame,
        and of the factor around 1 by which it multiplies each channel of a sequence.

    Examples
    --------
    >>> Embedding(size=64).size
    64
    """

    size: int = 100
    dropout: float = 0.0
    feature_dropout: float = 0.0
    unknown_rate: float = 0.0
    characters: int = 32
    character_units: int = 50
    frames: int = 0
    positions: int = 0
    convolutions: int = 0
    window: int = 9
    maps: int = 64
    map_dropout: float = 0.2
    warp: float = 0.0
    band_mask: float = 0.0
    step_mask: float = 0.0
    tempo: float = 0.0
    jitter: float = 0.0
    gain: float = 0.0

    def __post_init__(self) -> None:
        counts = {"size": 1, "characters": 1, "character_units": 1, "frames": 0}
        counts |= {"positions": 0, "convolutions": 0, "window": 1, "maps": 1}
        for name, least in counts.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(
                    f"Embedding.{name} is {value!r}; expected a whole number of {least} or more"
                )
        if self.positions % 2:
            raise ConfigError(f"Embedding.positions is {self.positions}; expected an even number")
        rates = (
            "dropout", "feature_dropout", "unknown_rate", "warp", "band_mask", "step_mask", "tempo",
            "jitter", "gain", "map_dropout",
        )  # fmt: skip
        for name in rates:
            rate = getattr(self, name)
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1:
                raise ConfigError(f"Embedding.{name} is {rate!r}; expected a rate in [0, 1)")

    def without_order(self) -> Embedding:
        """Return the same for a network with no sense of order: no places, no neighbours.

        Examples
        --------
        >>> Embedding(size=8, positions=4, convolutions=2).without_order() == Embedding(size=8)
        True
        """
        return replace(self, positions=0, convolutions=0)


DEFAULT_EMBEDDING = Embedding()
