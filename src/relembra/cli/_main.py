"""The entry point: runs a command and turns errors into messages and exit codes."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, TextIO

from relembra._errors import RelembraError
from relembra.cli._output import Interrupted

__all__ = ["main"]

DONE, OUR_FAULT, USER_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 done, 2 the user's input, 1 our fault, 130 interrupted.

    Parameters
    ----------
    arguments
        The words of the command line; None takes those of the process.
    """
    import typer

    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            result = _run(arguments)
    except _usage_error() as error:
        return _explain(error)
    except Interrupted as stop:
        return _say(str(stop), INTERRUPTED)
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted", INTERRUPTED)
    except (RelembraError, OSError) as error:
        return _say(f"error: {error}", USER_INPUT)
    except Exception:
        traceback.print_exc()
        return _say("this is a fault of Relembra; please report it with the lines above", OUR_FAULT)
    if result == INTERRUPTED:
        return _say("interrupted", INTERRUPTED)
    return result if isinstance(result, int) else DONE


def _run(arguments: Sequence[str] | None) -> object:
    from relembra.cli._app import command

    words = None if arguments is None else list(arguments)
    return command().main(words, "relembra", standalone_mode=False)


def _usage_error() -> type[Exception]:
    """Return the base of typer's usage errors: click's, or that of the copy in newer versions."""
    import typer

    base: type[Exception] = sys.modules[typer.BadParameter.__module__].ClickException
    return base


def _explain(error: Any) -> int:
    """Print a usage error on one line; when no command was given, the help is there already."""
    message = error.format_message()
    if not message:
        return USER_INPUT
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "relembra"
    return _say(f"error: {message.rstrip('.')} (see {path} --help)", USER_INPUT)


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
