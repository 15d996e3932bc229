"""The command line, ``ongage``: an extra (``pip install ongage-async[cli]``) on cyclopts and rich.

One file per command; here they are only put together. Exit codes: 0 all is well, 1 the work failed, 2 the command
line or a setting is wrong, 130 interrupted.
"""

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
    app()
