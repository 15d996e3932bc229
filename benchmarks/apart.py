"""Runs of their own: a piece of work in a process that does nothing else, its time and its peak of memory.

A benchmark's file names what can be run, and ends with ``if __name__ == "__main__": contend(...)``.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import median_and_spread

__all__ = ["AsyncWork", "Work", "contend", "contend_async", "figures_of", "measure", "peak_mib"]

Work = Callable[[], None]
AsyncWork = Callable[[], Awaitable[None]]


def measure(module: str, name: str, rows: int, *args: Any) -> dict[str, float]:
    """Let `python -m module name args…` do its work on so many rows; return its figures."""
    command = [sys.executable, "-m", module, name, *map(str, args)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[-4000:]}"
    figures = json.loads(done.stdout)
    return {
        "rows a second": rows / figures["wall_s"],
        "processor, µs a row": figures["cpu_s"] / rows * 1e6,
        "memory over idle, MiB": figures["memory_mib"],
    }


def figures_of(runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return the medians of several runs, with their spread; the figures themselves of a single one."""
    if len(runs) == 1:
        return dict(runs[0])
    return {what: median_and_spread([run[what] for run in runs]) for what in runs[0]}


def contend(work: Work) -> None:
    """Do it, and print the figures for `measure`."""
    idle_mib, wall, cpu = peak_mib(), time.perf_counter(), time.process_time()
    work()
    _print(idle_mib, wall, cpu)


async def contend_async(work: AsyncWork) -> None:
    """Do it on the running loop, and print the figures for `measure`; idle is what is there now."""
    await asyncio.sleep(0)
    idle_mib, wall, cpu = peak_mib(), time.perf_counter(), time.process_time()
    await work()
    _print(idle_mib, wall, cpu)


def _print(idle_mib: float, wall: float, cpu: float) -> None:
    figures = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    print(json.dumps({**figures, "memory_mib": peak_mib() - idle_mib}))


def peak_mib() -> float:
    """Return the peak of this program; what Linux tells by getrusage is also that of the one which started it."""
    if (status := Path("/proc/self/status")).exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
