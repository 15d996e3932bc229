"""A command that waits says why, and a quick one says nothing."""

import re
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from ongage_async import Limits, OngageClient
from ongage_async.cli import _patience
from ongage_async.emulator import Emulator, Fault
from tests.cli.shell import COMMAND, Run


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a person who wonders soon."""
    monkeypatch.setattr(_patience, "SILENT_S", 0.06)
    monkeypatch.setattr(_patience, "AGAIN_S", 0.2)


def test_a_quick_command_says_nothing(ongage: Run, account: Emulator):
    assert ongage("lists").err == ""


def test_a_back_off_is_told(ongage: Run, account: Emulator):
    account.faults.add("lists.page", Fault.drop(), times=1)
    told = ongage("lists")
    assert told.code == 0
    hint = r" \(Ctrl-C gives up, ongage doctor looks closer\)"
    assert re.fullmatch(rf"ongage: lists.page ended with ConnectionLostError; tries again in [01] s{hint}\n", told.err)
    account.faults.add("lists.page", Fault.drop(), times=1)
    assert ongage("lists", "--json").err == ""


def test_a_pause_of_the_account_is_told_while_it_is_waited_for(ongage: Run, account: Emulator, tmp_path: Path):
    url = f"file://{tmp_path}/l.ledger"
    assert ongage("lists", "--governor", url).code == 0
    assert ongage("budget", "pause", "--for", "1s", "--governor", url).code == 0
    told = ongage("lists", "--governor", url)
    assert told.code == 0
    assert "ongage: lists.page waits for the account's budget, about 1 s more; see: ongage budget\n" in told.err


def test_a_429_is_told(ongage: Run, account: Emulator):
    account.faults.add("lists.page", Fault.status(429), times=1)
    told = ongage("lists", "--max-wait", "1s")
    assert told.code == 4
    assert "ongage: a 429 pauses the account's calls for 6" in told.err


def test_limits_that_differ_are_told_once(account: Emulator, environment: dict[str, str], tmp_path: Path):
    """Look from outside, with no handler of a test runner: the library's own log line would be a second one."""
    url = f"file://{tmp_path}/l.ledger"

    def told(*words: str) -> str:
        command = [*COMMAND, *words, "--governor", url]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr

    async def beside_a_stricter_one() -> tuple[str, str]:
        async with OngageClient.from_env(governor=url, limits=Limits(calls=100)) as stricter:
            await stricter.lists.page()
            return await anyio.to_thread.run_sync(told, "lists"), await anyio.to_thread.run_sync(told, "budget")

    of_a_call, of_a_look = anyio.run(beside_a_stricter_one)
    told_once = "processes that share the account were given different limits: the strictest holds; see: ongage budget"
    assert of_a_call == f"ongage: {told_once}\n"
    assert of_a_look == ""
