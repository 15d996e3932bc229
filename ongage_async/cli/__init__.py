"""The command line, ``ongage``: an extra (``pip install ongage-async[cli]``) on cyclopts and rich.

One file per command, imported when it is called; `_app.py` names them, `_ending.py` has the exit codes.
"""

import io
import logging
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    try:
        from ongage_async.cli._app import app
    except ModuleNotFoundError as error:
        if error.name not in {"cyclopts", "rich", "uvicorn"}:
            raise
        sys.exit("The command line needs its extra: pip install 'ongage-async[cli]'")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no é still gets its answer
    logging.getLogger("ongage_async").addHandler(logging.NullHandler())  # `_patience.py` tells a person the same
    app()
