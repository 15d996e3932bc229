"""How tests name what a command did, and the command of a process of its own."""

import sys
from collections.abc import Callable
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-c", "from ongage_async.cli import main; main()")


@attrs.frozen
class Ended:
    """Hold how a command ended and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
