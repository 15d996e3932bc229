"""The example application as it is deployed: several worker processes behind one socket, sharing ledger and outbox."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from ongage_async import Limits
from ongage_async.emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
STAFF = "staff"


class Workers:
    """The application with so many workers; ended with the block.

    Args:
        emulator: The vendor.
        limits: What the workers believe the account allows.
        folder: Where they keep what must last.
        number: How many.
        max_wait_s: How long a visitor waits.
    """

    def __init__(
        self, emulator: Emulator, limits: Limits, folder: Path, *, number: int = 4, max_wait_s: float = 5.0
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        self._number = number
        known = emulator.credentials
        self._environment = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "examples")]),
            "ONGAGE_BASE_URL": emulator.url,
            "ONGAGE_USERNAME": known.username,
            "ONGAGE_PASSWORD": known.password,
            "ONGAGE_ACCOUNT_CODE": known.account_code,
            "ONGAGE_GOVERNOR": f"file://{folder}/ongage.ledger",
            "PROOF_LIMITS": f"{limits.calls} {limits.per_s} {limits.parallel}",
            "WEBAPP_FOLDER": str(folder),
            "WEBAPP_MAX_WAIT_S": str(max_wait_s),
            "WEBAPP_STAFF_TOKEN": STAFF,
            "WEBAPP_WEBHOOK_SECRET": "s3cret",
            "WEBAPP_PUBLIC_URL": self.url,
        }
        command = [sys.executable, "-m", "uvicorn", "tests.examples_webapp.scaled:app", "--port", str(port)]
        self._command = [*command, "--workers", str(number), "--no-access-log", "--timeout-graceful-shutdown", "5"]
        self._log = (folder / "workers.log").open("w+")

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, env={**os.environ, **self._environment}, cwd=ROOT, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + 60.0
        while len(self.pids(20)) < self._number:
            assert time.monotonic() < deadline, f"the workers did not start: {self.log()}"
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(40)
        finally:
            self._process.kill()
            self._log.close()

    def ask(self, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        """Ask whichever worker takes a new connection."""
        return httpx.request(method, f"{self.url}{path}", trust_env=False, timeout=30.0, **request)

    def pids(self, looks: int = 8) -> set[int]:
        """Return the workers that answered so many questions."""
        found = set()
        for _ in range(looks):
            try:
                found.add(self.ask("/ongage/budget.json").json()["worker"])
            except (httpx.TransportError, KeyError):
                time.sleep(0.02)
        return found

    def kill_one(self) -> None:
        """Kill a worker with -9; its parent starts another."""
        for pid in sorted(self.pids(1)):
            os.kill(pid, signal.SIGKILL)

    def load(self) -> None:
        """Have the nightly file loaded, or gone on with."""
        try:
            self.ask("/loads", "POST", headers={"X-Staff-Token": STAFF})
        except httpx.TransportError:
            return  # the worker that was asked has just died; the next time is soon

    def log(self) -> str:
        """Return what the workers wrote."""
        return (self.folder / "workers.log").read_text()


@contextmanager
def crowd(url: str, log: Path, *, number: int, seconds: float, think_s: float) -> Iterator[None]:
    """Have visitors come, in a process of their own; they have had their answers when the block ends."""
    command = [sys.executable, "-m", "tests.examples_webapp.visitors", url, str(number), str(seconds), str(think_s)]
    with subprocess.Popen([*command, str(log)], cwd=ROOT) as process:
        try:
            yield
            assert process.wait(seconds + 60) == 0
        finally:
            process.kill()
