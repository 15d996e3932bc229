"""Start real processes against one emulator, and read from its witness what they did together."""

import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ongage_async.config import Limits
from ongage_async.emulator import Emulator, worst_window

__all__ = ["Fleet"]

ON_THE_WAY_S = 0.01
"""What a call costs beside the server's own time: two ways over loopback, the engine, the ledger."""


class Fleet:
    """A number of worker processes; killed when the block ends.

    Args:
        ledger: URL of the ledger that they share.
        emulator: What they call; without limits, it only looks.
        limits: What they believe the account allows.
        folder: Where they leave their logs.
    """

    def __init__(self, ledger: str, emulator: Emulator, limits: Limits, folder: Path) -> None:
        self._ledger, self._emulator, self._limits = ledger, emulator, limits
        self._log = Path(tempfile.mkdtemp(dir=folder))
        self._errors = (folder / "errors").open("ab")
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, number: int = 1, *flags: str) -> None:
        """Start so many processes."""
        made, limits = self._emulator.credentials, self._limits
        command = [sys.executable, "-m", "tests.proofs.fleet.worker", "--ledger", self._ledger]
        command += ["--base-url", self._emulator.url, "--log", str(self._log)]
        command += ["--credentials", made.username, made.password, made.account_code]
        command += ["--limits", str(limits.calls), str(limits.per_s), str(limits.parallel), *flags]
        for _ in range(number):
            self.processes.append(subprocess.Popen(command, stderr=self._errors, start_new_session=True))

    def until_working(self, number: int, within_s: float = 60.0) -> None:
        """Wait until so many processes have had an answer."""
        deadline = time.monotonic() + within_s
        while len(self.done()) < number:
            assert time.monotonic() < deadline, (
                f"{len(self.done())} of {number} work after {within_s} s; {self.errors()}"
            )
            time.sleep(0.05)

    def kill_one(self) -> None:
        """Kill the oldest with -9."""
        self._kill(self.processes.pop(0))

    def done(self) -> dict[str, int]:
        """Return how many answers each process has had, by process id."""
        counts = {path.name: len(path.read_bytes().splitlines()) for path in self._log.iterdir()}
        return {name: count for name, count in counts.items() if count}

    def waits(self) -> list[float]:
        """Return how long the calls took that were answered, queue included."""
        return sorted(float(line) for path in self._log.iterdir() for line in path.read_text().splitlines())

    def errors(self) -> str:
        """Return the last words of the processes."""
        return Path(self._errors.name).read_text()[-2000:]

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGKILL)  # a session of its own: the worker and what it forked
        process.wait(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            self._kill(process)
        self._errors.close()

    # -- what the witness saw -----------------------------------------------------------------------------------------

    def worst_window(self) -> int:
        """Return the most arrivals in any window."""
        return worst_window((call.arrived_at for call in self._emulator.witness.calls), self._limits.per_s)

    def share(self, since: float, until: float) -> float:
        """Return the arrivals of that time as a share of what the limits allow."""
        seen = [call for call in self._emulator.witness.calls if since <= call.arrived_at < until]
        served = [call.departed_at - call.arrived_at for call in seen if call.departed_at is not None]
        held_s = sum(served) / max(1, len(served)) + ON_THE_WAY_S
        limits = self._limits
        possible = min(limits.calls / (limits.per_s + held_s), limits.parallel / held_s)
        return len(seen) / ((until - since) * possible) if seen else math.nan


def jain(counts: list[int]) -> float:
    """Return Jain's index of fairness: 1 when all are equal."""
    return sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts))
