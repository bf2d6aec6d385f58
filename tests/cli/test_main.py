"""Exit codes, help, warnings and interrupts."""

import re
import subprocess
import sys
import time
import warnings

import pytest

from relembra import __version__
from relembra.cli import main


def test_version_and_help(relembra):
    assert relembra("--version").out == f"{__version__}\n"
    for words in (["--help"], ["-h"], ["forecast", "-h"], ["predict", "--help"]):
        outcome = relembra(*words)
        assert (outcome.code, outcome.err) == (0, "")
        assert "Usage: relembra" in outcome.out
    for option in ("--horizon", "--cell", "--out", "--json", "--resume", "--seed", "--threads"):
        assert option in relembra("forecast", "--help").out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("evaluate", "a fresh runs/evaluate-DATA-N]; none is written for a language model."),
        ("predict", "[default: upos, whichever column the model learnt]."),
    ],
)
def test_help_says_what_follows_where_an_option_is_left_out(relembra, command, said):
    shown = relembra(command, "--help").out
    assert "".join(said.split()) in "".join(shown.replace("│", "").split())


def test_no_command_shows_the_help(relembra):
    outcome = relembra()
    assert outcome.code == 2
    assert "Usage: relembra" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["forecats"], r"No such command 'forecats'.* \(see relembra --help\)"),
        (["forecast"], r"Missing argument.* \(see relembra forecast --help\)"),
        (["predict", "x"], r"Missing argument.* \(see relembra predict --help\)"),
        (["doctor", "--loud"], r"No such option: --loud.* \(see relembra doctor --help\)"),
    ],
)
def test_usage_errors_are_one_line(relembra, words, message):
    outcome = relembra(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert re.fullmatch(rf"error: {message}\n", outcome.err)


def test_our_fault_is_1_with_the_traceback(relembra, sales, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("relembra.tasks.forecast.read_series", broken)
    outcome = relembra("forecast", sales)
    assert outcome.code == 1
    assert "ZeroDivisionError: a fault" in outcome.err
    assert outcome.err.endswith(
        "this is a fault of Relembra; please report it with the lines above\n"
    )


def test_an_interrupt_is_130_and_says_how_to_go_on(relembra, sales, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("relembra.tasks.forecast.run_forecast", interrupted)
    outcome = relembra("forecast", sales, "--quiet")
    assert outcome.code == 130
    assert outcome.err == ("interrupted; to go on, add: --resume --out runs/forecast-sales-1\n")
    monkeypatch.setattr("relembra.tasks.forecast.read_series", interrupted)
    outcome = relembra("forecast", sales, "--quiet")
    assert (outcome.code, outcome.err) == (130, "interrupted\n")


def test_ctrl_c_in_a_process_of_its_own(sales, folder):
    words = ["forecast", "sales.csv", "--steps", "100000", "--units", "3", "--out", "here"]
    run = subprocess.Popen(
        [sys.executable, "-m", "relembra", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not (folder / "here/checkpoints/lstm/search/checkpoint.safetensors").exists():
            assert run.poll() is None
            time.sleep(0.02)
        run.send_signal(2)
        _, err = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 130
    assert err == "interrupted; to go on, add: --resume --out here\n"


def test_malformed_input_in_a_process_of_its_own(folder):
    (folder / "empty.csv").touch()
    done = subprocess.run(
        [sys.executable, "-m", "relembra", "forecast", "empty.csv", "--json"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: empty.csv: the file is empty")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["empty.csv"]


def test_warnings_are_lines_for_people_and_the_hook_is_put_back(relembra, monkeypatch):
    before = warnings.showwarning

    def warned():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("mind the gap", UserWarning, stacklevel=1)
        return {}

    monkeypatch.setattr("relembra.cli._doctor.gather", warned)
    outcome = relembra("doctor", "--json")
    assert (outcome.code, outcome.out) == (0, "{}\n")
    assert outcome.err == "warning: mind the gap\n"
    assert warnings.showwarning is before


def test_main_takes_the_words_of_the_process(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["relembra", "--version"])
    assert main() == 0
    assert capsys.readouterr().out == f"{__version__}\n"
