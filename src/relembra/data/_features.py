"""The features by their kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from relembra._errors import ArtifactError
from relembra.data._audio import Audio
from relembra.data._characters import Characters
from relembra.data._encoded import Feature
from relembra.data._frames import Frames
from relembra.data._image_scan import ImageScan
from relembra.data._image_sequence import ImageSequence
from relembra.data._subwords import Subwords
from relembra.data._symbols import Symbols
from relembra.data._word_characters import WordCharacters
from relembra.data._words import Words

__all__ = ["feature_from_json"]

_FEATURES: dict[str, Any] = {
    feature.kind: feature
    for feature in (
        Audio,
        Characters,
        Frames,
        ImageScan,
        ImageSequence,
        Subwords,
        Symbols,
        WordCharacters,
        Words,
    )  # fmt: skip
}


def feature_from_json(values: object, tensors: Mapping[str, Tensor]) -> Feature:
    """Return the feature that described itself by ``to_json()`` and ``tensors()``.

    Parameters
    ----------
    values
        The JSON values.
    tensors
        The tensors by name.

    Returns
    -------
    Feature
        It encodes as the original does.

    Raises
    ------
    ArtifactError
        The description is damaged, or of a kind that this version does not know.

    Examples
    --------
    >>> original = Characters.fit(["remember"])
    >>> feature_from_json(original.to_json(), original.tensors()) == original
    True
    """
    kind = values.get("kind") if isinstance(values, Mapping) else None
    if not isinstance(kind, str) or kind not in _FEATURES:
        raise ArtifactError(
            f"the model has features of the kind {kind!r}; this version knows "
            f"{', '.join(sorted(_FEATURES))}"
        )
    feature: Feature = _FEATURES[kind].from_json(values, tensors)
    return feature
