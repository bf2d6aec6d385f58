"""One recurrent layer as one call: what a cell is, the paths that compute it, the choice."""

from relembra.engine._activation import ACTIVATIONS as ACTIVATIONS
from relembra.engine._activation import Activation as Activation
from relembra.engine._build import build_info as build_info
from relembra.engine._choice import PATHS as PATHS
from relembra.engine._choice import Choice as Choice
from relembra.engine._choice import PathName as PathName
from relembra.engine._choice import choose as choose
from relembra.engine._choice import run as run
from relembra.engine._explain import explain as explain
from relembra.engine._inference import infer as infer
from relembra.engine._linear import linear as linear
from relembra.engine._noise import LayerNoise as LayerNoise
from relembra.engine._noise import StackNoise as StackNoise
from relembra.engine._noise import draw_noise as draw_noise
from relembra.engine._recurrent import recurrent as recurrent
from relembra.engine._request import Recurrence as Recurrence
from relembra.engine._request import Request as Request
from relembra.engine._request import Trace as Trace
from relembra.engine._spec import CellSpec as CellSpec
from relembra.engine._spec import LayerWeights as LayerWeights
from relembra.engine._spec import StackSpec as StackSpec
from relembra.engine._streaming import StreamState as StreamState
from relembra.engine._streaming import start_stream as start_stream

__all__ = [
    "ACTIVATIONS",
    "PATHS",
    "Activation",
    "CellSpec",
    "Choice",
    "LayerNoise",
    "LayerWeights",
    "PathName",
    "Recurrence",
    "Request",
    "StackNoise",
    "StackSpec",
    "StreamState",
    "Trace",
    "build_info",
    "choose",
    "draw_noise",
    "explain",
    "infer",
    "linear",
    "recurrent",
    "run",
    "start_stream",
]
