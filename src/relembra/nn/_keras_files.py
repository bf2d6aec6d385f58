"""The recurrent layers of `.keras` and `.weights.h5` files: JSON and arrays, never code."""

from __future__ import annotations

import importlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from relembra._errors import ArtifactError, ConfigError, MissingExtraError
from relembra._files import atomic_write
from relembra.engine import Activation
from relembra.nn._gate_orders import Array, Arrays, from_keras_arrays, to_keras_arrays
from relembra.nn._layers import GRU, LSTM, RNN
from relembra.nn._onnx import emptied, fill
from relembra.nn._recurrent import RecurrentLayer
from relembra.nn._reversed import Reversed

__all__ = ["from_keras", "load_keras_weights", "save_keras_weights"]

_KINDS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn"}
_WEIGHTS = "model.weights.h5"
_BOTH = ("forward_layer/", "backward_layer/")


def from_keras(path: str | os.PathLike[str]) -> dict[str, RecurrentLayer | Reversed]:
    """Make layers of the LSTM, GRU and SimpleRNN layers of a `.keras` file, with their weights.

    The configuration is read as JSON and the weights as arrays. Nothing is executed: Lambda layers
    and objects of other packages are passed over, wherever they are in the model.

    Parameters
    ----------
    path
        A model saved by Keras 3.

    Returns
    -------
    dict
        Layers by their names in the Keras model, in its order, ``batch_first`` as Keras' are. A
        Bidirectional layer is one of ours in both directions; one with ``go_backwards`` is a
        `Reversed` one. They return whole sequences, whatever `return_sequences` says.

    Raises
    ------
    ArtifactError
        The file is missing, damaged, or refers to others.
    ConfigError
        A layer has options that ours lack (an unknown activation, another merge than concat).
    MissingExtraError
        The package h5py is not installed.
    """
    _check_is(path, ".keras")
    config, arrays = _read(Path(path))
    found: dict[str, RecurrentLayer | Reversed] = {}
    for class_name, settings in _recurrent_layers(config):
        name = settings["name"]
        if name in found:
            raise ConfigError(
                f"two recurrent layers are named {name!r}: names must tell them apart"
            )
        groups = _groups(arrays, name, class_name == "Bidirectional")
        found[name] = _layer(class_name, settings, groups)
    return found


def load_keras_weights(
    layer: RecurrentLayer | Reversed, path: str | os.PathLike[str], name: str
) -> None:
    """Fill a layer with the weights of a layer in a `.weights.h5` or `.keras` file.

    Parameters
    ----------
    layer
        Of the size and options of the Keras layer, and in one layer; it is changed in place.
    path
        What Keras 3 saved.
    name
        The layer's name in the Keras model.

    Raises
    ------
    ArtifactError
        The file is missing, damaged or without such a layer.
    DataError
        The arrays are not those of such a layer.
    """
    inner = _one_layer(layer)
    _, arrays = _read(Path(path))
    groups = _groups(arrays, name, inner.bidirectional)
    fill(inner, [from_keras_arrays(inner.spec.cell.kind, group) for group in groups])


def save_keras_weights(
    layers: Mapping[str, RecurrentLayer | Reversed], path: str | os.PathLike[str]
) -> None:
    """Write the weights of layers into a `.weights.h5` or `.keras` file that Keras made.

    Parameters
    ----------
    layers
        By their names in the Keras model. All others in the file stay as they are.
    path
        The file is replaced as a whole, or not at all. Keras keeps one bias where PyTorch keeps
        two: their sum, rounded once, unless it is a GRU with `reset_after`.

    Raises
    ------
    ArtifactError
        The file is missing, damaged, without such a layer, or its arrays have other shapes.
    """
    path = Path(path)
    _, arrays = _read(path)
    changed: dict[str, Array] = {}
    for name, layer in layers.items():
        inner = _one_layer(layer)
        places = _places(arrays, name, inner.bidirectional)
        for place, group in zip(places, emptied(inner), strict=True):
            old = [key for key in arrays if key.startswith(f"{place}cell/vars/")]
            two = len(old) == 3 and arrays[sorted(old)[2]].ndim == 2
            new = to_keras_arrays(inner.spec.cell.kind, group, two)
            for key, array in zip(sorted(old), new, strict=False):
                changed[key] = array
            shapes = [arrays[key].shape for key in sorted(old)]
            if shapes != [array.shape for array in new]:
                raise ArtifactError(
                    f"{name!r} in {path} has arrays of shapes {shapes}, the layer "
                    f"{[array.shape for array in new]}"
                )
    content = _rewritten(path, changed)

    def write(file: BinaryIO) -> None:
        file.write(content)

    atomic_write(path, write, force=True)


def _check_is(path: str | os.PathLike[str], ending: str) -> None:
    if not os.fspath(path).endswith(ending):
        raise ConfigError(
            f"expected a file that ends in {ending}, got {os.fspath(path)!r}: a .weights.h5 file "
            "has no configuration; make a layer and use load_keras_weights"
        )


def _one_layer(layer: RecurrentLayer | Reversed) -> RecurrentLayer:
    inner = layer.layer if isinstance(layer, Reversed) else layer
    if inner.num_layers != 1:
        raise ConfigError(f"a Keras layer is one layer, got num_layers={inner.num_layers}")
    if beyond := set(inner.spec.layer_shapes(0)) - set(emptied_names(inner)):
        raise ConfigError(f"Keras has no {', '.join(sorted(beyond))}")
    return inner


def emptied_names(layer: RecurrentLayer) -> tuple[str, ...]:
    """Return the names of the parameters that Keras has a place for."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return names if layer.bias else names[:2]


# ------------------------------------------------------------------ files


def _h5py() -> Any:
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise MissingExtraError(
            "Keras' files need the package h5py: pip install 'relembra[keras-files]'"
        ) from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return configuration and arrays by their place; the names of groups stand in ``#names``."""
    h5py = _h5py()
    try:
        if path.suffix != ".keras":
            with h5py.File(path, "r") as file:
                return {}, _arrays(h5py, file, path)
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            with h5py.File(io.BytesIO(archive.read(_WEIGHTS)), "r") as file:
                return config, _arrays(h5py, file, path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"{path} is no file of Keras 3 that can be read: {error}") from error


def _arrays(h5py: Any, file: Any, path: Path) -> dict[str, Array]:
    found: dict[str, Array] = {}

    def visit(place: str, item: Any) -> None:  # follows no links
        if isinstance(item, h5py.Group):
            if place.endswith("vars") and "name" in item.attrs:
                found[place.removesuffix("vars") + "#name"] = np.array(str(item.attrs["name"]))
            return
        if item.external or item.is_virtual:
            raise ArtifactError(f"{path}: {place!r} lies in another file, which is not opened")
        if "/cell/vars/" in place and not place.startswith("optimizer"):
            found[place] = item[()]

    file.visititems(visit)
    return found


def _rewritten(path: Path, changed: Mapping[str, Array]) -> bytes:
    """Return the file with some arrays changed."""
    if path.suffix != ".keras":
        return _changed(path.read_bytes(), changed)
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
        for item in old.infolist():
            content = old.read(item)
            new.writestr(item, _changed(content, changed) if item.filename == _WEIGHTS else content)
    return buffer.getvalue()


def _changed(content: bytes, changed: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO(content)
    with _h5py().File(buffer, "r+") as file:
        for place, array in changed.items():
            file[place][...] = array
    return buffer.getvalue()


# ------------------------------------------------------------------ what is in them


def _places(arrays: Mapping[str, Array], name: str, both: bool) -> list[str]:
    """Return where the cells of a layer are, one for each direction."""
    layers = [
        k.removesuffix("#name") for k, v in arrays.items() if k.endswith("#name") and v == name
    ]
    ends = _BOTH if both else ("",)
    fitting = [p for p in layers if all(f"{p}{end}cell/vars/0" in arrays for end in ends)]
    if len(fitting) != 1:
        known = sorted(str(v) for k, v in arrays.items() if k.endswith("#name"))
        raise ArtifactError(
            f"expected one recurrent layer {name!r} with {len(ends)} direction(s), found "
            f"{len(fitting)}; the names in the file are {known}"
        )
    return [fitting[0] + end for end in ends]


def _groups(arrays: Mapping[str, Array], name: str, both: bool) -> list[list[Array]]:
    return [
        [arrays[key] for key in sorted(k for k in arrays if k.startswith(f"{place}cell/vars/"))]
        for place in _places(arrays, name, both)
    ]


def _recurrent_layers(config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk through nested models for layers that are recurrent."""
    if isinstance(config, list):
        for item in config:
            yield from _recurrent_layers(item)
    if not isinstance(config, dict):
        return
    class_name, settings = config.get("class_name"), config.get("config")
    inner = settings.get("layer", {}) if isinstance(settings, dict) else {}
    is_both = class_name == "Bidirectional" and inner.get("class_name") in _KINDS
    if (class_name in _KINDS or is_both) and isinstance(settings, dict):
        yield str(class_name), settings
        return
    for value in (settings or {}).values() if isinstance(settings, dict) else ():
        yield from _recurrent_layers(value)


def _layer(
    class_name: str, settings: Mapping[str, Any], groups: list[list[Array]]
) -> RecurrentLayer | Reversed:
    name, both = settings["name"], class_name == "Bidirectional"
    if both:
        if settings.get("merge_mode") != "concat":
            raise ConfigError(
                f"{name!r} merges by {settings.get('merge_mode')!r}; ours concatenate"
            )
        class_name, settings = settings["layer"]["class_name"], settings["layer"]["config"]
    kind = _KINDS[class_name]
    directions: list[Arrays] = [from_keras_arrays(kind, group) for group in groups]
    options: dict[str, Any] = {
        "input_size": directions[0]["weight_ih"].shape[1],
        "hidden_size": directions[0]["weight_hh"].shape[1],
        "bias": "bias_ih" in directions[0],
        "bidirectional": both,
        "batch_first": True,
    }
    activation = _activation(name, settings.get("activation"))
    layer: RecurrentLayer
    if kind == "rnn":
        layer = RNN(**options, nonlinearity=activation)
    else:
        gate = _activation(name, settings.get("recurrent_activation"))
        if kind == "lstm":
            layer = LSTM(**options, activation=activation, gate_activation=gate)
        else:
            after = bool(settings.get("reset_after", True))
            layer = GRU(**options, activation=activation, gate_activation=gate, reset_after=after)
    fill(layer, directions)
    return Reversed(layer) if settings.get("go_backwards") and not both else layer


def _activation(layer: str, given: Any) -> Activation:
    if given is None:
        return Activation("identity")
    if not isinstance(given, str):
        raise ConfigError(f"{layer!r} has an activation of its own, which is code: {given!r}")
    try:
        return Activation.of(given)  # Keras' names and constants are ours
    except ConfigError as error:
        raise ConfigError(f"{layer!r}: {error}") from error
