"""The ledger file: what it refuses, what it survives, and what several real processes get from it."""
# ruff: noqa: ASYNC240 - the files are small, and nobody else is in these event loops

import fcntl
import json
import math
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import attrs
import pytest

from ongage_async.config import Lane, Limits
from ongage_async.emulator import worst_overlap, worst_window
from ongage_async.errors import ConfigurationError
from ongage_async.governor import End, LedgerLostError, _file_wake
from ongage_async.governor import _file_place as place
from ongage_async.governor import _file_store as store_module
from ongage_async.governor._file import FileLedger
from ongage_async.governor._file_state import Dates, Peer, State, decode, encode, new_state
from ongage_async.governor._file_store import Store
from ongage_async.governor._rules import Account, Lease, Member, Wait
from tests.ledgers.exam import Ears, HandClock, nobody
from tests.support import reaches

WORKER = Path(__file__).with_name("file_worker.py")
NORMAL = {Lane.NORMAL: 1}
LIMITS = Limits()

in_a_loop = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ongage.ledger"


def worker(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(WORKER), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(WORKER.parents[2])}
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)


def answer(done: subprocess.CompletedProcess[str]) -> object:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def opened(path: Path, limits: Limits = LIMITS, key: str = "k", wake=nobody, **options: object) -> FileLedger:
    ledger = FileLedger(path.as_uri(), limits, key, **options)
    await ledger.start(wake)
    return ledger


async def take(ledger: FileLedger, lease_s: float = 70.0) -> Lease:
    lease = await ledger.take(NORMAL, lease_s)
    assert isinstance(lease, Lease)
    return lease


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["file:relative", "file://host/x", "file:///", "file:///tmp/", "http:///x"])
def test_a_url_that_names_no_file_is_refused(url: str):
    with pytest.raises(ConfigurationError, match=r"file:///absolute/path|names a directory"):
        FileLedger(url, Limits(), "k")


def test_percent_encoded_paths_are_understood():
    assert place.path_of("file:///tmp/a%20b.ledger") == Path("/tmp/a b.ledger")


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


async def refused_with(path: Path, words: str, key: str = "k") -> None:
    before = content(path)
    with pytest.raises(ConfigurationError, match=words):
        await opened(path, key=key)
    assert before is None or content(path) == before, "what is refused is left as it is"


@in_a_loop
async def test_files_that_are_no_ledger_are_refused_with_a_remedy(path: Path):
    path.touch(0o600)
    await refused_with(path, "empty or was cut short")
    path.write_bytes(b"a,b\n1,2\n" * 100)
    await refused_with(path, "no ledger")
    path.unlink()
    path.mkdir()
    await refused_with(path, "directory|regular file")


@in_a_loop
async def test_a_missing_directory_is_told(path: Path):
    await refused_with(path.parent / "nowhere" / "x.ledger", "create it")


@in_a_loop
async def test_a_damaged_truncated_or_newer_file_is_refused(path: Path):
    await (await opened(path)).aclose()
    whole = path.read_bytes()
    for words, spoilt in {
        "cut short": whole[:50],
        "damaged": whole[:30] + b"x" + whole[31:],
        "file is damaged": whole[:4096] + bytes(len(whole) - 4096),
        "neither|file is damaged": whole[:3000],
    }.items():
        path.write_bytes(spoilt)
        await refused_with(path, words)
    head = bytearray(whole[: store_module._FIRST.size])
    head[8] = 9
    path.write_bytes(
        bytes(head) + store_module.struct.pack("<I", store_module.zlib.crc32(head)) + whole[len(head) + 4 :]
    )
    await refused_with(path, "version 9")


@in_a_loop
async def test_another_accounts_file_is_refused(path: Path):
    await (await opened(path, key="one")).aclose()
    assert b"one" not in path.read_bytes()[:4096]
    await refused_with(path, "another account", key="two")


@in_a_loop
async def test_links_and_files_that_others_may_write_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch):
    real = path.with_name("real")
    await (await opened(real)).aclose()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    path.symlink_to(real)
    await refused_with(path, "symbolic link")
    real.chmod(0o666)
    await refused_with(real, "chmod 600")
    real.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    await refused_with(real, "another user")


@in_a_loop
async def test_network_file_systems_are_refused(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/x / ext4 rw 0 0\nhost:/share {path.parent} nfs4 rw 0 0\n")
    monkeypatch.setattr(place, "MOUNTS", mounts)
    await refused_with(path, r"network file system \(nfs4\)")
    assert not path.exists()


@in_a_loop
async def test_limits_that_do_not_fit_are_refused(path: Path):
    with pytest.raises(ConfigurationError, match="200,000"):
        FileLedger(path.as_uri(), Limits(200_001), "k")


# -- what is remembered -----------------------------------------------------------------------------------------------


def test_every_field_of_the_account_is_remembered():
    """A new field of the rules needs a place in the file: this test says so."""
    account = Account(Limits(77, 8.5, 9), margin_s=4.0, reserve=3)
    state = new_state(account, 5, 123.0, 10.0)
    for number, field in enumerate(attrs.fields(Account)):
        if field.name in {"hold_until", "strikes"} or field.type in {float, int}:
            setattr(account, field.name, 1000 + number if field.name != "margin_s" else 4.0)
    account._passed, account._late_tokens, account._late_places = [1, 2, 3], [5.0, 6.0], [7.0]
    account.open[8] = Lease(8, "abc", Lane.BULK, 1.0, math.inf, 3.0)
    account.members["abc"] = Member({Lane.BULK: 4}, 17.0, [1, 2, 3])
    account.members["def"] = Member({}, -math.inf, [0, 0, 9])
    state.peers = {"abc": Peer(4711, 2.0), "def": Peer(0, 3.0)}
    state.ring = 1024
    again = decode(encode(state), None)
    assert again.account == account
    assert again.peers == state.peers
    assert (again.boot, again.seen_at, again.ring) == (123.0, 10.0, 1024)
    assert {field.name for field in attrs.fields(Lease)} == {
        *("id", "member", "lane", "granted_at", "expires_at", "ask_again_at", "members", "rank")
    }


def test_the_ring_of_dates_grows_and_goes_round(path: Path):
    account = Account(Limits(10))
    Store.create(path, "k", new_state(account, 0, 1.0, 0.0), b"")
    one, other = Store.open(path, "k"), Store.open(path, "k")
    assert one is not None
    assert other is not None
    total = 0
    for turn in range(60):
        state = (one, other)[turn % 2].load()
        assert isinstance(state, State)
        assert [*state.dates] == [float(n) for n in range(total - len(state.dates), total)]
        for _ in range(97):
            state.dates.append(float(total))
            total += 1
        while len(state.dates) > (700 if turn < 40 else 2500):
            state.dates.popleft()
        (one, other)[turn % 2].save(state)
    assert state.ring > 1024
    one.close()
    other.close()


def overwrite(path: Path, data: bytes, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_write_that_was_cut_off_leaves_the_state_before(path: Path):
    Store.create(path, "k", new_state(Account(Limits(10)), 0, 1.0, 0.0), b"")
    store = Store.open(path, "k")
    assert store is not None
    before = path.read_bytes()
    for strikes in (1, 2, 3, 4):
        state = store.load()
        assert state is not None
        state.account.strikes = strikes
        store.save(state)
        after = path.read_bytes()
        changed = [i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
        start, end = changed[0], changed[-1] + 1
        for cut in range(start + 1, end, 3):
            overwrite(path, after[start:cut] + before[cut:end], start)
            other = Store.open(path, "k")
            assert other is not None
            found = other.load()
            assert found is not None
            assert found.account.strikes == strikes - 1
            other.close()
        overwrite(path, after[start:end], start)
        before = after
    store.close()


@in_a_loop
async def test_what_was_spent_is_still_spent_after_all_have_left(path: Path):
    ledger = await opened(path, Limits(3, 60, 3))
    await ledger.give_back(await take(ledger), End.ANSWERED)
    await take(ledger)
    await ledger.hold(0.01)
    await ledger.aclose()
    ledger = await opened(path, Limits(3, 60, 3))
    account = await ledger.look()
    assert (account.tokens_free, len(account.open), len(account.members)) == (1, 1, 1)
    await ledger.aclose()


@in_a_loop
async def test_the_strictest_limits_hold_until_one_is_alone(path: Path):
    one = await opened(path, Limits(300, 60, 10))
    other = FileLedger(path.as_uri(), Limits(100, 30, 20), "k")
    assert await other.start(nobody) == Limits(100, 60, 10)
    await other.aclose()
    assert await one.start(nobody) == Limits(100, 60, 10)
    await one.aclose()
    learner = FileLedger(path.as_uri(), Limits("learn"), "k")
    assert await learner.start(nobody) == Limits(100, 60, 10)
    await learner.aclose()
    one = FileLedger(path.as_uri(), Limits(300, 60, 10), "k")
    assert await one.start(nobody) == Limits(300, 60, 10)
    await one.aclose()


@in_a_loop
async def test_after_a_reboot_everything_comes_home_a_window_from_now(path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = HandClock()
    ledger = await opened(path, Limits(20, 60, 4), margin_s=5.0, clock=clock)
    await take(ledger)
    await ledger.hold(100.0)
    await ledger.aclose()
    clock.now = 3.0
    monkeypatch.setattr(place, "boot_number", lambda: 42.0)
    ledger = await opened(path, Limits(20, 60, 4), margin_s=5.0, clock=clock)
    account = await ledger.look()
    assert (account.tokens_free, account.places_taken, account.hold_until) == (0, 4, 103.0)
    assert sorted(account.homecoming()) == [63.0] * 16 + [68.0] * 4
    await ledger.aclose()


@in_a_loop
async def test_a_state_that_was_torn_by_the_machines_end_is_no_new_budget(path: Path, monkeypatch: pytest.MonkeyPatch):
    await (await opened(path, Limits(20, 60, 4))).aclose()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    await refused_with(path, "damaged")
    monkeypatch.setattr(place, "boot_number", lambda: 42.0)
    ledger = await opened(path, Limits(20, 60, 4))
    assert isinstance(await ledger.take(NORMAL, 70.0), Wait)
    assert (await ledger.look()).tokens_free == 0
    await ledger.aclose()


@in_a_loop
async def test_a_second_machine_on_the_file_is_noticed(path: Path, monkeypatch: pytest.MonkeyPatch):
    ledger = await opened(path)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(place, "boot_number", lambda: 42.0)
        await (await opened(path)).aclose()
    with pytest.raises(LedgerLostError, match="another machine"):
        await ledger.take(NORMAL, 70.0)
    await ledger.aclose()


@in_a_loop
async def test_clocks_that_differ_are_noticed(path: Path):
    ledger = await opened(path)
    with pytest.raises(ConfigurationError, match="clocks"):
        await opened(path, clock=lambda: time.monotonic() - 3600)
    await ledger.aclose()


# -- loss -------------------------------------------------------------------------------------------------------------


@in_a_loop
@pytest.mark.parametrize("how", ["removed", "renamed", "replaced", "old copy", "truncated", "copied over"])
async def test_a_file_that_is_gone_is_lost_first_and_then_no_new_budget(path: Path, how: str):
    clock = HandClock()
    one = await opened(path, Limits(5, 60, 5), clock=clock)
    other = await opened(path, Limits(5, 60, 5), clock=clock)
    old = path.read_bytes()
    leases = [await take(one), await take(other), await take(other)]
    await other.give_back(leases[2], End.ANSWERED)
    lose(path, how, old)
    for ledger in (one, other):
        with pytest.raises(LedgerLostError, match="ledger file") as caught:
            await ledger.take(NORMAL, 70.0)
        assert str(path) not in str(caught.value)
    if how == "truncated":  # a human's turn: it says so, and does not begin anew
        with pytest.raises(LedgerLostError, match=r"damaged|cut short"):
            await one.start(nobody)
        path.unlink()
    for ledger in (one, other):
        await ledger.start(nobody)
    account = await one.look()
    assert {leases[0].id, leases[1].id} <= {*account.open}
    assert account.tokens_free <= 2, "what was spent is spent"
    assert how in {"removed", "renamed"} or account.tokens_free == 0
    await one.give_back(leases[0], End.ANSWERED)
    await other.give_back(leases[1], End.ANSWERED)
    assert not (await one.look()).open
    clock.now += 60
    assert (await other.look()).tokens_free == 5
    await one.aclose()
    await other.aclose()


def lose(path: Path, how: str, old: bytes) -> None:
    match how:
        case "removed":
            path.unlink()
        case "renamed":
            path.rename(path.with_name("elsewhere"))
        case "replaced":
            path.unlink()
            Store.create(path, "k", new_state(Account(Limits(5, 60, 5)), 1, place.boot_number(), 1000.0), b"")
        case "old copy":
            path.unlink()
            path.write_bytes(old)
            path.chmod(0o600)
        case "copied over":
            path.write_bytes(old)
        case "truncated":
            os.truncate(path, 0)


@in_a_loop
async def test_a_full_disk_loses_the_ledger_and_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch):
    ledger = await opened(path, Limits(5, 60, 5))
    lease = await take(ledger)
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda fd, data, at: len(data) // 2)
        for _ in range(2):
            with pytest.raises(LedgerLostError, match="No space"):
                await ledger.take(NORMAL, 70.0)
    assert {*(await ledger.look()).open} == {lease.id}
    await ledger.give_back(lease, End.UNSENT)
    assert (await ledger.look()).tokens_free == 5
    await ledger.aclose()


@in_a_loop
async def test_a_full_disk_at_creation_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    await refused_with(path, "No space")
    assert not [*path.parent.iterdir()]


# -- the lock ---------------------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_lock_that_another_holds_for_three_seconds_blocks_nobody(path: Path):
    ledger = await opened(path)
    fd = os.open(path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    lags: list[float] = []

    async def tick() -> None:
        while True:
            before = time.monotonic()
            await anyio.sleep(0.01)
            lags.append(time.monotonic() - before - 0.01)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        with anyio.move_on_after(3.0) as scope:
            await ledger.take(NORMAL, 70.0)
        assert scope.cancelled_caught
        os.close(fd)
        with anyio.fail_after(5.0):
            await take(ledger)
        tasks.cancel_scope.cancel()
    assert max(lags) < 2.0
    await ledger.aclose()


@in_a_loop
async def test_a_lock_that_is_never_given_back_is_a_loss(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_file_wake, "LOCK_S", 0.2)
    ledger = await opened(path)
    fd = os.open(path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(LedgerLostError, match="lock"):
        await ledger.take(NORMAL, 70.0)
    os.close(fd)
    await ledger.start(nobody)
    await take(ledger)
    await ledger.aclose()


# -- members ----------------------------------------------------------------------------------------------------------


@contextmanager
def waiting_process(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that holds the only place and waits for another."""
    process = subprocess.Popen(
        [sys.executable, str(WORKER), "wait", path.as_uri()],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(WORKER.parents[2])},
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == b"waits\n"
        yield process


@in_a_loop
async def test_who_joins_after_the_only_process_was_killed_waits_for_the_margin_and_for_no_lease(path: Path):
    """A service that is killed and started again is the common case: nobody was there to see it die."""
    with waiting_process(path) as process:
        process.kill()
        process.wait()
    before = time.monotonic()
    ledger = await opened(path, Limits(100, 60, 1), "workers", margin_s=1.0)
    decision = await ledger.take(NORMAL, 70.0)
    assert isinstance(decision, Wait)
    assert before + 1.0 <= decision.until <= time.monotonic() + 1.0
    account = await ledger.look()
    assert (len(account.members), account.tokens_free) == (1, 99)
    await ledger.aclose()


@in_a_loop
async def test_the_asks_of_a_killed_process_are_dropped_at_once_and_its_places_after_the_margin(path: Path):
    """The kernel tells of its end, so its calls ended without an answer then: no lease of 70 s is waited for."""
    with waiting_process(path) as process:
        ears = Ears()
        ledger = await opened(path, Limits(100, 60, 1), "workers", ears, margin_s=1.0)
        waiting = await ledger.take(NORMAL, 70.0)
        assert isinstance(waiting, Wait)
        assert len((await ledger.look()).members) == 2
        process.kill()
        process.wait()
    killed_at = time.monotonic()
    await anyio.sleep(0.06)
    await ledger.take(NORMAL, 70.0)
    assert len((await ledger.look()).members) == 1
    while not isinstance(decision := await ledger.take(NORMAL, 70.0), Lease):
        assert time.monotonic() < killed_at + 10
        await anyio.sleep(0.02)
    assert time.monotonic() >= killed_at + 1, "not before the margin is over"
    assert (await ledger.look()).tokens_free == 98
    await ledger.give_back(decision, End.ANSWERED)
    await ledger.aclose()


@in_a_loop
async def test_leases_are_renewed_while_they_are_open_and_not_after(path: Path):
    ledger, other = await opened(path, Limits(10, 60, 10)), await opened(path, Limits(10, 60, 10))
    long, short = await take(ledger, 0.8), await take(ledger, 0.8)
    await ledger.give_back(short, End.ANSWERED)
    for _ in range(30):
        await anyio.sleep(0.05)
    assert {*(await other.look()).open} == {long.id}
    await ledger.give_back(long, End.ANSWERED)
    with anyio.fail_after(10):
        while ledger._yard.running != 1:  # noqa: ASYNC110 - one listens, and no heart beats
            await anyio.sleep(0.01)
    await ledger.aclose()
    await other.aclose()


@in_a_loop
async def test_who_waits_for_a_place_is_told_when_the_next_token_is_home(path: Path):
    """Without it a fleet that is short of places and tokens stands still for a second now and then."""
    clock, ears = HandClock(), Ears()
    ledger = await opened(path, Limits(2, 60, 1), clock=clock)
    other = await opened(path, Limits(2, 60, 1), "k", ears, clock=clock)
    await ledger.give_back(await take(ledger), End.ANSWERED)
    home_at = clock.now + 60
    lease = await take(ledger)
    clock.now += 59.5
    waiting = await other.take(NORMAL, 70.0)
    assert waiting.until == home_at
    await ledger.give_back(lease, End.ANSWERED)
    assert not await ears.hear(0.05), "it knows"
    waiting = await other.take(NORMAL, 70.0)
    assert waiting.until == home_at
    await ledger.aclose()
    await other.aclose()


@in_a_loop
async def test_a_member_without_a_port_asks_again_soon(path: Path, monkeypatch: pytest.MonkeyPatch):
    ledger = await opened(path, Limits(10, 60, 1))
    ledger._bell.close()
    ledger._bell.port = 0
    lease = await take(ledger)
    decision = await ledger.take(NORMAL, 70.0)
    assert decision.until <= ledger.now() + 0.05
    await ledger.give_back(lease, End.ANSWERED)
    await ledger.aclose()


@in_a_loop
async def test_nothing_is_left_open_after_closing(path: Path):
    handles = Path("/proc/self/fd")
    before = {*handles.iterdir()} if handles.exists() else set()
    for _ in range(3):
        ledger = await opened(path)
        await take(ledger)
        await ledger.aclose()
    if before:
        assert len({*handles.iterdir()} - before) <= 1
    with pytest.raises(LedgerLostError, match="closed"):
        await ledger.take(NORMAL, 70.0)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_one_ledger_serves_one_event_loop_after_another(path: Path):
    ledger = FileLedger(path.as_uri(), Limits(10, 60, 10), "k")
    for backend in ("asyncio", "trio", "asyncio"):

        async def use() -> None:
            ears = Ears()
            await ledger.start(ears)
            other = await opened(path, Limits(10, 60, 10))
            await other.resume()
            assert await ears.hear()
            await other.aclose()
            await ledger.give_back(await take(ledger), End.ANSWERED)

        anyio.run(use, backend=backend)
    anyio.run(ledger.aclose)


# -- processes --------------------------------------------------------------------------------------------------------


@in_a_loop
async def test_of_many_creators_one_wins(path: Path):
    ledgers = [FileLedger(path.as_uri(), Limits(7, 60, 7), "k") for _ in range(10)]
    async with anyio.create_task_group() as tasks:
        for ledger in ledgers:
            tasks.start_soon(ledger.start, nobody)
    assert len({ledger._store.file_id for ledger in ledgers}) == 1
    assert len((await ledgers[0].look()).members) == 10
    for ledger in ledgers:
        await ledger.aclose()


def test_two_processes_that_create_it_at_once_share_one(path: Path, tmp_path: Path):
    fresh = new_state(Account(Limits(7)), 0, place.boot_number(), 0.0)
    Store.create(path, "k", fresh, b"")
    first = path.read_bytes()
    fresh.dates, fresh.account._homecoming = Dates(), Dates()
    Store.create(path, "k", new_state(Account(Limits(8)), 0, place.boot_number(), 0.0), b"")
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_forked_process_is_a_member_of_its_own_and_frees_nothing_of_its_parents(path: Path):
    assert answer(worker("forked", path.as_uri())) == [0, True, 8]


def test_processes_killed_in_the_middle_of_writing_lose_and_double_nothing(path: Path, tmp_path: Path):
    log = tmp_path / "log"
    found = answer(worker("kills", path, log, 25))  # two at a time
    lines = log.read_text().split()
    granted = [line[1:] for line in lines if line[0] == "g"]
    returned = {line[1:] for line in lines if line[0] == "b"}
    assert len(found["open"]) == 25, "a valid state after each kill"
    assert len(granted) == len({*granted}) > 500, "no lease twice"
    is_open, dates = found["totals"]
    assert len(granted) <= is_open + dates <= len(granted) + 50, "each kill may hide one grant from the log"
    open_at_a_kill = {lease for leases in found["open"] for lease in leases}  # whoever joins next buries them
    assert not returned & open_at_a_kill
    missing = {*granted} - returned - open_at_a_kill
    assert len(missing) <= 50, "each kill may hide one return from the log"


@pytest.mark.proof
@pytest.mark.fleet
def test_four_processes_keep_the_limits_use_them_and_share_them(path: Path, tmp_path: Path):
    log, per_s, calls, parallel, mean_s = tmp_path / "log", 1.0, 60, 8, 0.02
    done = answer(worker("fleet", path.as_uri(), log, 4, 8, calls, per_s, parallel, mean_s))
    lines = log.read_text().split()
    arrived = sorted(float(line[1:]) for line in lines if line[0] == "+")
    departed = sorted(float(line[1:]) for line in lines if line[0] == "-")
    still_open = [math.inf] * (len(arrived) - len(departed))
    span_s = arrived[-1] - arrived[0]
    share = len(arrived) / (calls * span_s / (per_s + mean_s))
    jain = sum(done) ** 2 / (len(done) * sum(n * n for n in done))
    worst = worst_window(arrived, per_s)
    print(f"\n{len(arrived)} calls in {span_s:.1f} s: share {share:.3f}, Jain {jain:.4f}, worst window {worst}")
    assert worst <= calls
    assert worst_overlap(arrived, departed + still_open) <= parallel
    reaches(jain, 0.98, "fairness")
    reaches(share, 0.97, "share of the possible")
