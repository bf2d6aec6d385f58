"""The entry point: runs a command and turns errors into messages and exit codes."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import TextIO

from relembra._errors import RelembraError

__all__ = ["main"]

DONE, OUR_FAULT, USER_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 done, 2 the user's input, 1 our fault, 130 interrupted.

    Parameters
    ----------
    arguments
        The words of the command line; None takes those of the process.
    """
    import click

    from relembra.cli._app import command

    warnings.showwarning = _show_warning
    try:
        result = command().main(
            None if arguments is None else list(arguments), "relembra", standalone_mode=False
        )
    except click.exceptions.Abort:
        return _say("interrupted", INTERRUPTED)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return USER_INPUT
    except KeyboardInterrupt:
        return _say("interrupted; --resume goes on from the last checkpoint", INTERRUPTED)
    except (RelembraError, OSError) as error:
        return _say(f"error: {error}", USER_INPUT)
    except Exception:
        traceback.print_exc()
        return _say("this is a fault of Relembra; please report it with the lines above", OUR_FAULT)
    return result if isinstance(result, int) else DONE


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"warning: {message}", file=file or sys.stderr)
