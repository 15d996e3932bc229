"""What it costs to start: importing the library beside importing the libraries that it stands on.

In processor time of whole processes, which a busy machine disturbs less than it does the clock on the wall. Taken in
turns, so that a change of the machine's mood meets all of them.
"""

import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.report import median_and_spread

__all__ = ["LIBRARIES", "OURS", "cpu_ms", "run"]

LIBRARIES = "import httpx, attrs, cattrs, anyio"
OURS = "import ongage_async"
OTHERS = (
    "pass",
    "import httpx, attrs, cattrs, anyio, asyncio",
    "from ongage_async.models import *",
    "from ongage_async.resources import *",
    "import ongage_async.ownpage",
)


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure them all, in turns."""
    measured = cpu_ms([LIBRARIES, OURS, *OTHERS], rounds=1 if tiny else 25)
    libraries = statistics.median(measured[LIBRARIES])
    return [
        {
            "a process that runs": statement,
            "CPU, ms": median_and_spread(figures),
            "times the libraries": statistics.median(figures) / libraries,
        }
        for statement, figures in measured.items()
    ]


def cpu_ms(statements: Sequence[str], *, rounds: int) -> dict[str, list[float]]:
    """Run each statement in a process of its own, in turns; return the milliseconds of each round.

    Args:
        statements: Python statements.
        rounds: How often each is run, after a first time that fills the caches and does not count.
    """
    measured: dict[str, list[float]] = {statement: [] for statement in statements}
    for number in range(rounds + 1):
        for statement in statements:
            took = _once(statement)
            if number:
                measured[statement].append(took)
    return measured


def _once(statement: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3
