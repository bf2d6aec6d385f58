"""The shapes that the engine is measured on, (B, T, I, H) or, of a stack, (B, T, I, H, layers)."""

Shape = tuple[int, ...]

SHAPES = (
    (1, 100, 1, 32),
    (1, 100, 64, 128),
    (1, 500, 128, 256),
    (1, 100, 256, 512),
    (8, 24, 8, 32),
    (8, 100, 37, 37),
    (8, 500, 64, 128),
    (8, 100, 256, 512),
    (32, 24, 1, 50),
    (32, 100, 1, 50),
    (32, 100, 64, 64),
    (32, 500, 16, 100),
    (32, 100, 128, 128),
    (32, 100, 256, 256),
    (32, 50, 512, 512),
    (64, 100, 128, 128),
    (64, 784, 1, 128),
    (128, 24, 8, 32),
    (128, 100, 40, 96),
    (128, 50, 256, 256),
    (256, 35, 200, 200),
    (16, 1000, 2, 128),
    (20, 60, 300, 300),
    (100, 100, 1, 64),
)

# Primes and other sizes that fill no vector, no tile and no share of a worker.
ODD = (
    (1, 3, 1, 1),
    (1, 100, 1, 1),
    (100, 7, 1, 1),
    (1, 1000, 1, 7),
    (2, 50, 3, 7),
    (1, 211, 17, 17),
    (3, 100, 5, 17),
    (31, 100, 65, 17),
    (5, 37, 11, 33),
    (33, 33, 33, 33),
    (65, 31, 7, 33),
    (13, 100, 1, 50),
    (257, 11, 5, 50),
    (31, 61, 19, 65),
    (127, 25, 13, 65),
    (2, 100, 100, 100),
    (33, 100, 3, 100),
    (7, 1, 65, 129),
    (17, 73, 2, 129),
    (31, 29, 129, 129),
    (3, 199, 31, 250),
    (13, 100, 250, 250),
    (33, 40, 300, 300),
    (1, 97, 513, 513),
    (5, 53, 513, 513),
)

# The sizes of oneDNN's own benchmark, github.com/uxlfoundation/oneDNN, tests/benchdnn/inputs/rnn,
# files shapes_training, _inference, _deepspeech_2, _rnn_t, _large, _small and the _gru and _lstmp
# ones: mb, t, slc, dhc and l there. A training step of the LSTM above 40 billion multiplications
# and additions is shortened in time, to one step at most, the original T stands beside. Where
# dhc, sic and dic differ (no plain cell has that), H is dhc and the projection is left out.
BENCHDNN = (
    (128, 1, 512, 512),  # GNMT_enc, training
    (128, 2, 1024, 1024, 2),
    (128, 1, 1024, 1024, 8),  # GNMT_dec, training
    (128, 1, 1024, 1024),
    (32, 8, 1760, 1760),  # deepspeech2, training: T 50, 100, 200
    (64, 50, 500, 500),  # pytorch_testcase, training
    (128, 397, 128, 128),  # paddlepaddle_testcase, training: T 629, 952
    (32, 10, 512, 128),  # exp-0, training
    (32, 1, 128, 128, 10),  # exp-1, training
    (1, 30, 512, 512),  # GNMT_enc, inference
    (1, 30, 1024, 1024, 7),
    (1, 1, 1024, 1024, 8),  # GNMT_dec, inference
    (1, 1, 1024, 1024),
    (640, 1, 1024, 1024),
    (1, 50, 1760, 1760),  # deepspeech2, inference
    (1, 100, 1760, 1760),
    (1, 200, 1760, 1760),
    (1, 50, 500, 500),  # pytorch_testcase, inference
    (1, 629, 128, 128),  # paddlepaddle_testcase, inference
    (1, 10, 512, 128),  # exp-0, inference
    (1, 1, 128, 128, 10),  # exp-1, inference
    (896, 1, 240, 1024),  # RNN-T, Encoder_1: T 256
    (896, 1, 1024, 1024),  # RNN-T, Encoder_2 to _4: T 256 and 128
    (896, 1, 320, 320),  # RNN-T, Prediction
    (63, 1, 64, 64),  # large
    (34, 1, 65, 65),
    (19, 1, 128, 64),
    (12, 1, 65, 130),
    (6, 1, 128, 256),
    (4, 1, 130, 260),
    (17, 1, 128, 128),
    (100, 1, 65, 65),
    (31, 1, 64, 128),
    (12, 3, 16, 16, 8),  # small
    (20, 3, 36, 36, 4),
    (6, 2, 32, 16),
    (7, 1, 17, 34),
    (3, 1, 32, 64),
    (4, 1, 34, 68),
    (12, 10, 16, 16, 14),
    (10, 14, 17, 17, 10),
    (7, 7, 32, 32, 5),
    (8, 6, 36, 36),
)

LISTS: dict[str, tuple[Shape, ...]] = {"design": SHAPES, "odd": ODD, "benchdnn": BENCHDNN}


def layers(shape: Shape) -> int:
    """Return how many layers the stack of a shape has."""
    return shape[4] if len(shape) > 4 else 1
