"""PyTorch's own tests of RNN, LSTM and GRU, with accelerated classes in place of PyTorch's.

    python -m benchmarks.peers.torch_tests [PYTORCH_CHECKOUT]

Two parts. The inputs of PyTorch's ModuleInfo (`torch.testing._internal.common_modules`, which ships
with the package) go through our classes and PyTorch's with the same weights: outputs, gradients in
float64, copies and pickles. With the path of a checkout at the installed version, the tests of
`test/test_nn.py` and `test/test_modules.py` that speak of recurrent layers run as they stand, once
with PyTorch's classes and once with ours. Each failure is shown; those that PyTorch's own classes
have as well are marked. Needs `pip install expecttest`.
"""

import argparse
import copy
import importlib
import io
import pickle
import sys
import unittest
import warnings
from collections import Counter
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from relembra._accelerate import _classes, _stacks

NAMES = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")
OURS = {name: getattr(_classes, f"Accelerated{name}") for name in NAMES}
THEIRS = {name: getattr(nn, name) for name in NAMES}
WORDS = ("rnn", "lstm", "gru", "variable_sequence")
FILES = ("test_nn", "test_modules")
native_calls = Counter[str]()


def spy() -> None:
    """Count the calls that really reach the native core."""
    real = _stacks.run

    def run(request: object, path: str) -> object:
        native_calls[path] += 1
        return real(request, path)

    _stacks.run = run


# ------------------------------------------------------------------ ModuleInfo


def tensors(value: object) -> list[torch.Tensor]:
    """All tensors of a nested result."""
    if isinstance(value, PackedSequence):
        return [value.data]
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for item in value for t in tensors(item)] if isinstance(value, tuple) else []


def one_input(name: str, given: object, dtype: torch.dtype, training: bool) -> None:
    """Compare the two classes on one input of ModuleInfo."""
    arguments = given.constructor_input
    theirs = THEIRS[name](*arguments.args, **{**arguments.kwargs, "dtype": dtype})
    ours = OURS[name](*arguments.args, **{**arguments.kwargs, "dtype": dtype})
    ours.load_state_dict(theirs.state_dict())
    copies = [ours, copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))]
    call = given.forward_input
    leaves = [t for t in tensors(tuple(call.args)) if t.is_floating_point()]
    for t in leaves:
        t.requires_grad_()
    expected = tensors(theirs.train(training)(*call.args, **call.kwargs))
    loss = sum(t.sum() for t in expected)
    gradients = torch.autograd.grad(loss, [*theirs.parameters(), *leaves], allow_unused=True)
    for layer in copies:
        found = tensors(layer.train(training)(*call.args, **call.kwargs))
        torch.testing.assert_close(found, expected)
        leaf_list = [*layer.parameters(), *leaves]
        mine = torch.autograd.grad(sum(t.sum() for t in found), leaf_list, allow_unused=True)
        for a, b in zip(mine, gradients, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def module_infos() -> None:
    """Go through the inputs of common_modules."""
    from torch.testing._internal.common_modules import module_db

    print("\ncommon_modules: class | dtype | inputs passed | failed | calls of the native core")
    for info in module_db:
        name = info.module_cls.__name__
        if name not in NAMES:
            continue
        for dtype in (torch.float32, torch.float64):
            outcome = Counter[str]()
            before = native_calls["native"]
            for training in (False, True):
                inputs = info.module_inputs_func(
                    info, device="cpu", dtype=dtype, requires_grad=False, training=training
                )
                for given in inputs:
                    try:
                        one_input(name, given, dtype, training)
                        outcome["passed"] += 1
                    except Exception as error:
                        outcome["failed"] += 1
                        print(f"  {name} {given.desc}: {type(error).__name__}: {error}")
            calls = native_calls["native"] - before
            print(
                f"{name:9} {str(dtype):14} {outcome['passed']:4} {outcome['failed']:4} {calls:6}",
                flush=True,
            )


# ------------------------------------------------------------------ a checkout


def put(classes: dict[str, type]) -> None:
    """Let `torch.nn` and ModuleInfo have these classes."""
    for name, cls in classes.items():
        setattr(nn, name, cls)
    from torch.testing._internal.common_modules import module_db

    for info in module_db:
        name = info.module_cls.__name__.removeprefix("Accelerated")
        if name in NAMES:
            info.module_cls = classes[name]


def fitting(suite: unittest.TestSuite) -> list[unittest.TestCase]:
    """The tests whose names speak of recurrent layers."""
    found: list[unittest.TestCase] = []
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            found += fitting(test)
        elif any(word in test.id().rsplit(".", 1)[-1].lower() for word in WORDS):
            found.append(test)
    return found


def run_all(tests: list[unittest.TestCase]) -> unittest.TestResult:
    """Run without output."""
    runner = unittest.TextTestRunner(stream=io.StringIO(), verbosity=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return runner.run(unittest.TestSuite(tests))


def broken(result: unittest.TestResult) -> dict[str, str]:
    """Names and last lines of what went wrong."""
    every = [*result.failures, *result.errors]
    return {test.id(): text.strip().splitlines()[-1] for test, text in every}


def checkout(path: Path) -> None:
    """Run the tests of a checkout, PyTorch's classes first."""
    version = (path / "version.txt").read_text().strip()
    if version.split("a")[0].split("+")[0] != torch.__version__.split("+")[0]:
        print(f"Note: the checkout is {version}, PyTorch is {torch.__version__}.")
    sys.path.insert(0, str(path / "test"))
    sys.argv = sys.argv[:1]  # PyTorch's tests read it
    for name in FILES:
        if not (path / "test" / f"{name}.py").exists():
            print(f"{name}: not in this checkout")
            continue
        failed = {}
        for whose, classes in (("PyTorch's", THEIRS), ("our", OURS)):
            put(classes)
            sys.modules.pop(name, None)
            before = native_calls["native"]
            module = importlib.import_module(name)
            tests = fitting(unittest.defaultTestLoader.loadTestsFromModule(module))
            result = run_all(tests)
            failed[whose] = broken(result)
            passed = result.testsRun - len(result.skipped) - len(failed[whose])
            print(
                f"{name} with {whose} classes: {passed} passed, {len(failed[whose])} failed, "
                f"{len(result.skipped)} not applicable, "
                f"{native_calls['native'] - before} calls of the native core",
                flush=True,
            )
        reasons = Counter(reason for _, reason in result.skipped)
        for reason, count in reasons.most_common():
            print(f"  not applicable ({count}): {reason}")
        for test, line in failed["our"].items():
            mark = " [with PyTorch's classes as well]" if test in failed["PyTorch's"] else ""
            print(f"  failed: {test}{mark}: {line}")
    put(THEIRS)


def main() -> None:
    """Print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", nargs="?", type=Path, help="folder of PyTorch's sources")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    spy()
    module_infos()
    if given.checkout:
        checkout(given.checkout)


if __name__ == "__main__":
    main()
