"""Modules that people compose: recurrent layers, trunks and heads."""

from relembra.nn._convolutions import Convolutions as Convolutions
from relembra.nn._crf import LinearChainCRF as LinearChainCRF
from relembra.nn._embedding import TokenEmbedding as TokenEmbedding
from relembra.nn._feedforward import FeedForward as FeedForward
from relembra.nn._frame_noise import FrameNoise as FrameNoise
from relembra.nn._frame_noise import TempoNoise as TempoNoise
from relembra.nn._image_network import ImageNetwork as ImageNetwork
from relembra.nn._keras_files import from_keras as from_keras
from relembra.nn._keras_files import load_keras_weights as load_keras_weights
from relembra.nn._keras_files import save_keras_weights as save_keras_weights
from relembra.nn._layers import GRU as GRU
from relembra.nn._layers import LSTM as LSTM
from relembra.nn._layers import RNN as RNN
from relembra.nn._linear import Linear as Linear
from relembra.nn._locked_dropout import LockedDropout as LockedDropout
from relembra.nn._low_precision import LowPrecisionLayer as LowPrecisionLayer
from relembra.nn._low_precision import LowPrecisionLinear as LowPrecisionLinear
from relembra.nn._low_precision import low_precision as low_precision
from relembra.nn._onnx import from_onnx as from_onnx
from relembra.nn._onnx import to_onnx as to_onnx
from relembra.nn._pooling import Pooling as Pooling
from relembra.nn._pooling import PoolingKind as PoolingKind
from relembra.nn._pooling import sum_over_steps as sum_over_steps
from relembra.nn._quantiles import QuantileHead as QuantileHead
from relembra.nn._quantiles import check_levels as check_levels
from relembra.nn._quantiles import pinball_loss as pinball_loss
from relembra.nn._quantiles import quantile_mean as quantile_mean
from relembra.nn._recurrent import RecurrentLayer as RecurrentLayer
from relembra.nn._regularization import activation_penalty as activation_penalty
from relembra.nn._regularization import temporal_penalty as temporal_penalty
from relembra.nn._reversed import Reversed as Reversed
from relembra.nn._trunk import CELLS as CELLS
from relembra.nn._trunk import RecurrentTrunk as RecurrentTrunk
from relembra.nn._trunk import Trunk as Trunk
from relembra.nn._word_characters import WordCharacterEmbedding as WordCharacterEmbedding

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "RNN",
    "Convolutions",
    "FeedForward",
    "FrameNoise",
    "ImageNetwork",
    "Linear",
    "LinearChainCRF",
    "LockedDropout",
    "LowPrecisionLayer",
    "LowPrecisionLinear",
    "Pooling",
    "PoolingKind",
    "QuantileHead",
    "RecurrentLayer",
    "RecurrentTrunk",
    "Reversed",
    "TempoNoise",
    "TokenEmbedding",
    "Trunk",
    "WordCharacterEmbedding",
    "activation_penalty",
    "check_levels",
    "from_keras",
    "from_onnx",
    "load_keras_weights",
    "low_precision",
    "pinball_loss",
    "quantile_mean",
    "save_keras_weights",
    "temporal_penalty",
    "to_onnx",
    "sum_over_steps",
]
