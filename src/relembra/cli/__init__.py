"""The command line: it parses, calls and prints."""

from relembra.cli._main import main as main

__all__ = ["main"]
