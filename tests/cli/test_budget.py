"""``ongage budget`` and ``top``: what is seen of a ledger that others share, and what pausing it does to them."""

import contextlib
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from rich.console import Console

from ongage_async.cli._account import Account
from ongage_async.cli._budget import budget_lines
from ongage_async.cli._ledger_view import budget_facts, ledger_name, look_at, tokens_by_second
from ongage_async.cli._top import View
from ongage_async.client import account_key
from ongage_async.config import Lane, Limits
from ongage_async.emulator import Emulator
from ongage_async.governor import End, Governor, GovernorStatistics, LaneStatistics, from_url
from tests.cli.shell import COMMAND, Run
from tests.ledgers.redis_server import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Run a server for the tests of this page."""
    running = RedisServer(tmp_path_factory.mktemp("redis"))
    yield running
    running.stop()


@pytest.fixture(params=["file", "redis"])
def ledger(request: pytest.FixtureRequest, account: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Name a ledger that was in use, by an account with other limits than the usual ones."""
    if request.param == "redis":
        running: RedisServer = request.getfixturevalue("server")
        running.client.flushall()
        url = running.url
    else:
        url = f"file://{tmp_path}/shared.ledger"
    monkeypatch.setenv("ONGAGE_GOVERNOR", url)
    with fleet(account, url):
        pass
    return url


def governor(account: Emulator, url: str, limits: Limits) -> Governor:
    key = account_key(account.url, f"code:{account.credentials.account_code}")
    return from_url(url, limits, account_key=key)


@contextlib.contextmanager
def fleet(
    account: Emulator, url: str, *, open_calls: int = 0, limits: Limits | None = None
) -> Iterator[threading.Event]:
    """Share the ledger from another event loop while the block runs, with calls that end when the event is set."""
    ready, end, gone = threading.Event(), threading.Event(), threading.Event()

    async def share() -> None:
        own = governor(account, url, limits or Limits(450, 60.0, 7))
        await own.start()
        permits = [await own.acquire(Lane.URGENT) for _ in range(open_calls)]
        ready.set()
        await anyio.to_thread.run_sync(end.wait)
        for permit in permits:
            await permit.give_back(End.ANSWERED)
        await anyio.to_thread.run_sync(gone.wait)
        await own.aclose()

    thread = threading.Thread(target=anyio.run, args=(share,))
    thread.start()
    assert ready.wait(10)
    try:
        yield end
    finally:
        end.set()
        gone.set()
        thread.join(10)


def test_without_a_shared_ledger_there_is_nothing_to_see(ongage: Run, account: Emulator):
    for command in (("budget",), ("top",), ("budget", "pause"), ("budget", "drain")):
        told = ongage(*command)
        assert (told.code, "nothing to see without a shared ledger" in told.err) == (3, True)


def test_a_look_makes_no_ledger(ongage: Run, account: Emulator, tmp_path: Path):
    told = ongage("budget", "--governor", f"file://{tmp_path}/none.ledger")
    assert (told.code, "no such ledger file yet" in told.err) == (3, True)
    assert list(tmp_path.glob("*.ledger*")) == []


def test_a_look_tells_the_fleets_limits_and_changes_none_of_them(ongage: Run, account: Emulator, ledger: str):
    """An onlooker that joined with the usual 300 would cut a fleet of 450 down to them: the strictest hold."""
    with fleet(account, ledger, open_calls=3):
        seen = json.loads(ongage("budget", "--json").out)
        assert seen["limits"] == {"calls": 450, "per_s": 60.0, "parallel": 7}
        assert (seen["open"], seen["places_free"], seen["tokens_free"], seen["members"]) == (3, 4, 447, 1)
        assert sum(seen["open_by_member"].values()) == 3
        words = ongage("budget").out
    assert "limit\t450 calls per 60 s, 7 at once\n" in words
    assert "open\t3 of 7\n" in words


def test_alone_an_onlooker_shows_the_limits_of_its_own_settings(
    ongage: Run, account: Emulator, ledger: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ONGAGE_CALLS_PER_MINUTE", "500")
    assert json.loads(ongage("budget", "--json").out)["limits"]["calls"] == 500
    monkeypatch.setenv("ONGAGE_CALLS_PER_MINUTE", "many")
    assert ongage("budget").code == 3


def test_a_look_needs_the_account_but_no_password(
    ongage: Run, account: Emulator, ledger: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("ONGAGE_PASSWORD")
    monkeypatch.delenv("ONGAGE_USERNAME")
    assert ongage("budget").code == 0
    monkeypatch.delenv("ONGAGE_ACCOUNT_CODE")
    told = ongage("budget")
    assert (told.code, "which account?" in told.err) == (3, True)


def test_a_pause_holds_everybodys_calls_until_it_is_ended(ongage: Run, account: Emulator, ledger: str):
    assert ongage("budget", "pause", "--for", "5m").out.startswith("Paused for 5 min.")
    refused = ongage("lists", "--max-wait", "1s")
    assert (refused.code, "ongage budget" in refused.err) == (4, True)
    assert len(account.witness) == 0
    assert 290 < json.loads(ongage("budget", "--json").out)["hold_s"] <= 300
    assert "for 5 min more" in ongage("budget").out.replace("4 min 59 s", "5 min")
    assert ongage("budget", "resume").out == "Calls go out again.\n"
    assert ongage("lists", "--max-wait", "1s").code == 0
    assert ongage("budget", "pause", "--for", "soon").code == 2


def test_draining_waits_for_the_calls_that_are_open(ongage: Run, account: Emulator, ledger: str):
    with fleet(account, ledger, open_calls=2) as end:
        threading.Timer(0.3, end.set).start()
        told = ongage("budget", "drain", "--for", "1m")
        assert (told.code, told.out.startswith("All calls have ended. Nothing goes out for")) == (0, True)
        assert end.is_set()
        assert ongage("budget", "drain", "--for", "1m", "--json").code == 0


def test_draining_that_outlasts_its_time_says_so(ongage: Run, account: Emulator, ledger: str):
    with fleet(account, ledger, open_calls=2):
        told = ongage("budget", "drain", "--for", "0.3s")
        assert (told.code, told.out) == (4, "2 calls are still open, and the pause is over.\n")


def test_top_is_lines_for_a_pipe_and_objects_for_a_program(ongage: Run, account: Emulator, ledger: str):
    lines = ongage("top", "--looks", "2", "--every", "0.1", "--no-imports").out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("limit 300 calls per 60 s, 10 at once; tokens ")
    objects = [json.loads(line) for line in ongage("top", "--looks", "2", "--every", "0.1", "--json").out.splitlines()]
    assert [each["open"] for each in objects] == [0, 0]
    assert objects[1]["at"] > objects[0]["at"]
    assert len(account.witness) == 0


def test_ctrl_c_ends_top_at_once(account: Emulator, ledger: str, environment: dict[str, str]):
    with subprocess.Popen(
        [*COMMAND, "top", "--no-imports"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline().startswith("limit ")
        run.send_signal(signal.SIGINT)
        assert run.wait(10) == 130
        assert run.stderr.read() == "ongage: Interrupted.\n"


# --- what is drawn ----------------------------------------------------------------------------------------------------


def seen(**changes: Any) -> GovernorStatistics:
    idle = LaneStatistics(0, 0, 0, 0.0, 0.0)
    facts: dict[str, Any] = {
        "limits": Limits(),
        "calls_in_force": 300,
        "tokens_free": 290,
        "tokens_home_s": (0.5, 0.7, 3.2, 59.9, 75.0),
        "open": 5,
        "places_free": 5,
        "hold_s": 0.0,
        "strikes": 0,
        "open_by_member": {"a1": 4, "b2": 1},
        "ledger_lost": False,
        "lanes": dict.fromkeys(Lane, idle),
        "waiting": {Lane.URGENT: 0, Lane.NORMAL: 2, Lane.BULK: 1234},
        "members": 3,
    }
    return GovernorStatistics(**{**facts, **changes})


def test_tokens_are_counted_by_the_second_in_which_they_come_home():
    counts = tokens_by_second(seen())
    assert (len(counts), counts[0], counts[3], counts[59], sum(counts)) == (60, 2, 1, 2, 5)


def test_the_budget_is_put_into_words():
    assert budget_lines(seen()) == {
        "limit": "300 calls per 60 s, 10 at once",
        "tokens": "290 free; 5 come home within 75 s, the next in 0.5 s",
        "open": "5 of 10",
        "waiting": "urgent 0, normal 2, bulk 1,234",
        "processes": "2 (open calls: a1 4, b2 1)",
        "pause": "none",
    }
    troubled = budget_lines(seen(calls_in_force=210, hold_s=119.6, strikes=2, ledger_lost=True))
    assert troubled["limit"].endswith("; 210 in force, since others spend the account too")
    assert troubled["pause"] == "for 2 min more; 2 in a row by 429s"
    assert "LOST" in troubled["ledger"]


def test_the_view_fits_its_terminal_and_shows_imports_as_bars():
    class Job:
        id, progress_pct, success, status_desc = 83513, 46, 460, "Processing (46%)"

    for width in (60, 80, 120):
        view = View("file:///var/lib/app/ongage.ledger")
        view.take(seen())
        view.imports = [Job()]
        console = Console(width=width, force_terminal=False)
        with console.capture() as shown:
            console.print(view.draw(width))
        lines = shown.get().splitlines()
        assert max(map(len, lines)) <= width
        assert any("import 83513" in line and "46 %" in line for line in lines)
        assert any(line.startswith("home") and "█" in line for line in lines)
        assert lines[-1].startswith("p pause")


def test_the_view_counts_the_pauses_that_began_while_somebody_looked():
    view = View("x")
    for strikes in (1, 1, 2, 0, 1):
        view.take(seen(strikes=strikes, hold_s=30.0))
    console = Console(width=100)
    with console.capture() as shown:
        console.print(view.draw(100))
    assert "for 30 s more; 1 in a row by 429s; 2 by 429s since you look" in shown.get()


def test_a_terminal_without_block_letters_gets_plain_ones():
    view = View("x")
    view.take(seen())
    console = Console(width=80)
    with console.capture() as shown:
        console.print(view.draw(80, ascii_only=True))
    (home,) = [line for line in shown.get().splitlines() if line.startswith("home")]
    assert home.isascii()
    assert "%" in home


@pytest.mark.parametrize("port", ["", ":6380"])
def test_a_ledgers_name_holds_no_password(monkeypatch: pytest.MonkeyPatch, port: str):
    monkeypatch.setenv("ONGAGE_GOVERNOR", f"rediss://user:hunter2@cache.internal{port}/0?ssl_cert_reqs=none")
    assert ledger_name(Account()) == f"rediss://cache.internal{port}/0"


@pytest.mark.anyio
async def test_an_onlooker_works_on_any_event_loop(account: Emulator, ledger: str):
    async with look_at(Account()) as onlooker:
        assert budget_facts(await onlooker.statistics())["tokens_free"] > 0
