"""What it costs to start: importing the library beside importing the libraries that it stands on.

In processor time of whole processes, which a busy machine disturbs less than it does the clock on the wall; that one
stands beside it. Taken in turns, so that a change of the machine's mood meets all of them.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.report import median_and_spread

__all__ = ["HELP", "LIBRARIES", "OURS", "cpu_ms", "run"]

LIBRARIES = "import httpx, attrs, cattrs, anyio"
OURS = "import ongage_async"
OTHERS = (
    "pass",
    "import httpx, attrs, cattrs, anyio, asyncio",
    "from ongage_async import ApiKey, OngageClient; OngageClient(ApiKey('key'))",
    "from ongage_async.models import *",
    "from ongage_async.resources import *",
    "import ongage_async.ownpage",
)
HELP = "import sys; sys.argv = ['ongage', '--help']; from ongage_async.cli import main; main()"


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure them all, in turns."""
    measured = _in_turns([LIBRARIES, OURS, *OTHERS, HELP], rounds=1 if tiny else 25)
    libraries = statistics.median(cpu for cpu, _ in measured[LIBRARIES])
    return [
        {
            "a process that runs": "ongage --help" if statement == HELP else statement,
            "CPU, ms": median_and_spread([cpu for cpu, _ in figures]),
            "wall, ms": median_and_spread([wall for _, wall in figures]),
            "CPU, times the libraries": statistics.median(cpu for cpu, _ in figures) / libraries,
        }
        for statement, figures in measured.items()
    ]


def cpu_ms(statements: Sequence[str], *, rounds: int) -> dict[str, list[float]]:
    """Run each statement in a process of its own, in turns; return the milliseconds of processor time of each round.

    Args:
        statements: Python statements.
        rounds: How often each is run, after a first time that fills the caches and does not count.
    """
    return {name: [cpu for cpu, _ in figures] for name, figures in _in_turns(statements, rounds).items()}


def _in_turns(statements: Sequence[str], rounds: int) -> dict[str, list[tuple[float, float]]]:
    measured: dict[str, list[tuple[float, float]]] = {statement: [] for statement in statements}
    for number in range(rounds + 1):
        for statement in statements:
            took = _once(statement)
            if number:
                measured[statement].append(took)
    return measured


def _once(statement: str) -> tuple[float, float]:
    """Return the milliseconds of processor time and of the clock on the wall."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3, wall * 1e3
