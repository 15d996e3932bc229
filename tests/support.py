"""What several test rooms need: the library's credentials from an emulator, and clients for it."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ongage_async import Credentials, Governor, Limits, OngageClient
from ongage_async.emulator import Emulator


def credentials_of(emulator: Emulator) -> Credentials:
    made = emulator.credentials
    return Credentials(made.username, made.password, made.account_code)


def client_of(emulator: Emulator, *, limits: Limits | None = None, **options: Any) -> OngageClient:
    """Make a client for an emulator; with limits that do not hinder a test unless it names some."""
    options.setdefault("governor", Governor(limits or Limits(calls=1_000_000, parallel=10)))
    return OngageClient(credentials_of(emulator), base_url=emulator.url, **options)


def reaches(measured: float, goal: float, what: str) -> None:
    """Hold a measured speed of real processes against its goal.

    A machine that is busy with something else slows them down: a speed within a fifth of its goal is shown with its
    figure as an expected failure, a lower one fails. What must never happen is asserted.
    """
    assert measured >= 0.8 * goal, f"{what}: {measured:.3f}, the goal is {goal}"
    if measured < goal:
        pytest.xfail(f"{what}: {measured:.3f} of the goal {goal}")


@contextmanager
def memory_folder(otherwise: Path) -> Iterator[Path]:
    """Have a folder in memory, where the system has such a place.

    For tests in which programs die and disks do not: having a line of a journal on the disk takes 13 ms, there 1 ms.
    """
    place = Path("/dev/shm")
    if not os.access(place, os.W_OK):
        yield otherwise
        return
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


def report_of(worker: "subprocess.Popen[str]", kill_after_s: float | None) -> dict[str, Any] | None:
    """Wait for a worker that says "ready" and then tells its report; None for one that was killed, by us or by itself.

    Args:
        worker: The process, with a pipe for what it prints.
        kill_after_s: Seconds of work after which it is killed; None lets it come to its end.
    """
    try:
        if kill_after_s is not None and worker.stdout is not None:
            while os.read(worker.stdout.fileno(), 1) not in (b"\n", b""):  # ready: what follows is the load
                pass  # not by readline, which may read on, and keep a report from `communicate`
            worker.wait(kill_after_s)
        out, _ = worker.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        worker.kill()
        out, _ = worker.communicate()
    if worker.returncode == -signal.SIGKILL:
        return None
    assert worker.returncode == 0, out
    report: dict[str, Any] = json.loads(out.removeprefix("ready\n"))
    return report
