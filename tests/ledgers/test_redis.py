"""What may befall a Redis ledger: scripts flushed, memory cleared, server gone, paused or old, forks, secrets."""

import asyncio
import logging
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import anyio
import pytest
import trustme

from ongage_async.config import Lane, Limits
from ongage_async.errors import ConfigurationError
from ongage_async.governor import End, LedgerLostError
from ongage_async.governor._redis import RedisLedger
from ongage_async.governor._rules import Lease, Wait
from tests.ledgers.redis_server import RedisServer, cluster_of_two

LIMITS = Limits(20, 5.0, 5)
in_a_loop = pytest.mark.anyio
_accounts = count()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own, to be ill-treated."""
    server = RedisServer(tmp_path)
    yield server
    server.resume()
    server.stop()


@asynccontextmanager
async def opened(
    url: str, account: str = "", limits: Limits = LIMITS, wake: Callable[[], None] = lambda: None, margin_s: float = 1.0
) -> AsyncIterator[RedisLedger]:
    ledger = RedisLedger(url, limits, account or f"account{next(_accounts)}", margin_s=margin_s)
    try:
        await ledger.start(wake)
        assert ledger.is_listening is not None
        await ledger.is_listening.wait()
        yield ledger
    finally:
        await ledger.aclose()


async def granted(ledger: RedisLedger, lease_s: float = 70.0, lane: Lane = Lane.NORMAL) -> Lease:
    decision = await ledger.take({lane: 1}, lease_s)
    assert isinstance(decision, Lease)
    return decision


async def wait_s(ledger: RedisLedger) -> float:
    decision = await ledger.take({Lane.NORMAL: 1}, 70.0)
    assert isinstance(decision, Wait)
    return decision.until - ledger.now()


async def eventually(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(5):
        while not is_so():  # noqa: ASYNC110 - it is so at a server, which sets no event
            await anyio.sleep(0.01)


# -- a server that forgets --------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_script_that_was_flushed_is_loaded_again(server: RedisServer):
    async with opened(server.url) as ledger:
        lease = await granted(ledger)
        server.client.script_flush()
        await ledger.give_back(lease, End.ANSWERED)
        assert (await ledger.look()).tokens_free == 19


@in_a_loop
async def test_memory_that_was_cleared_counts_as_spent_and_open_calls_are_told_again(server: RedisServer):
    async with opened(server.url, "a") as ledger, opened(server.url, "a") as other:
        mine, theirs = await granted(ledger), await granted(other)
        server.client.flushall()
        cleared_at = time.monotonic()
        told_s = await wait_s(ledger)
        assert 5.0 - (time.monotonic() - cleared_at) < told_s <= 6.1
        await eventually(lambda: server.client.zcard("{ongage:a}:open") == 2)
        await ledger.give_back(mine, End.ANSWERED)
        await other.give_back(theirs, End.UNSENT)
        account = await other.look()
        assert (account.tokens_free, account.places_taken) == (19, 0)
        assert account.hold_until + time.monotonic() - cleared_at > other.now() + 4.0


@in_a_loop
async def test_a_call_that_ends_after_the_memory_was_cleared_still_costs_its_token(server: RedisServer):
    async with opened(server.url) as ledger:
        lease = await granted(ledger)
        server.client.flushall()
        await ledger.give_back(lease, End.ANSWERED)
        assert (await ledger.look()).tokens_free == 19


@in_a_loop
async def test_a_newcomer_that_knows_nothing_does_not_get_the_account_a_new_budget(server: RedisServer):
    async with opened(server.url, "a") as ledger:
        await granted(ledger)
        server.client.flushall()
        cleared_at = time.monotonic()
        async with opened(server.url, "a") as newcomer:
            await eventually(lambda: b"open" in b"".join(server.client.keys()))  # the old one heard and told its call
            assert await wait_s(newcomer) + time.monotonic() - cleared_at > 4.0


@in_a_loop
async def test_a_key_that_was_evicted_counts_as_spent(server: RedisServer):
    async with opened(server.url, "a") as ledger:
        await ledger.give_back(await granted(ledger), End.ANSWERED)
        server.client.delete("{ongage:a}:home")
        assert await wait_s(ledger) > 4.0


@in_a_loop
async def test_who_waited_when_a_key_was_evicted_is_woken_as_before(server: RedisServer):
    """The lines are made anew then; who stood in them and asks again must not count as one who is there already."""
    limits = Limits(20, 0.05, 1)
    async with opened(server.url, "a", limits, margin_s=0.05) as ledger, opened(server.url, "a", limits) as waiting:
        lease = await granted(ledger)
        await wait_s(waiting)
        server.client.delete("{ongage:a}:open")
        await wait_s(waiting)
        await eventually(lambda: server.client.zcard("{ongage:a}:open") == 1)
        hold_until = (await ledger.look()).hold_until
        await eventually(lambda: ledger.now() > hold_until)
        await wait_s(waiting)
        told = server.calls("publish")
        await ledger.give_back(lease, End.ANSWERED)
        assert server.calls("publish") == told + 1


@in_a_loop
async def test_members_whose_names_were_evicted_are_numbered_again(server: RedisServer):
    async with opened(server.url, "a") as ledger:
        server.client.delete("{ongage:a}:names")
        async with opened(server.url, "a") as other:
            decisions = [await granted(each) for each in (ledger, other, ledger, other)]
            assert [lease.members for lease in decisions[1:]] == [2, 2, 2]
            assert {lease.rank for lease in decisions[2:]} == {0, 1}


@in_a_loop
async def test_an_older_copy_counts_as_spent(server: RedisServer):
    async with opened(server.url, "a") as ledger:
        await granted(ledger)
        copies = {key: server.client.dump(key) for key in list(server.client.keys())}
        await granted(ledger)
        for key, copy in copies.items():
            server.client.restore(key, 100_000, copy, replace=True)
        assert await wait_s(ledger) > 4.0
        await eventually(lambda: server.client.zcard("{ongage:a}:open") == 2)


@in_a_loop
async def test_a_first_start_waits_for_nothing(lasting: RedisServer):
    async with opened(lasting.url) as ledger:
        await granted(ledger)


@in_a_loop
async def test_every_key_has_the_accounts_hash_tag_and_an_end(server: RedisServer):
    async with (
        opened(server.url, "a", Limits(2, 5.0, 1)) as ledger,
        opened(server.url, "a", Limits(2, 5.0, 1)) as other,
    ):
        lease = await granted(ledger)
        await wait_s(other)
        await wait_s(ledger)
        await ledger.give_back(lease, End.UNCERTAIN)
        keys = server.client.keys()
        assert len(keys) >= 6
        assert all(key.startswith(b"{ongage:a}:") for key in keys)
        ttl_s = {key: server.client.pttl(key) / 1000 for key in keys}
        assert all(1800 + 70 + 5 < ttl <= 2 * 3600 for ttl in ttl_s.values()), ttl_s
        assert min(ttl_s, key=lambda key: ttl_s[key]) == b"{ongage:a}:account"


# -- a server that is gone --------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_server_that_restarts_without_memory_is_found_again_and_counts_as_spent(server: RedisServer):
    async with opened(server.url, "a") as ledger:
        lease = await granted(ledger)
        await anyio.to_thread.run_sync(server.stop)
        with pytest.raises(LedgerLostError, match=f"127.0.0.1:{server.port} cannot be reached"):
            await ledger.take({Lane.NORMAL: 1}, 70.0)
        await anyio.to_thread.run_sync(server.start)
        assert await wait_s(ledger) > 4.0
        await ledger.give_back(lease, End.ANSWERED)
        await eventually(lambda: bool(server.client.pubsub_channels()))


@in_a_loop
async def test_a_master_that_was_made_a_replica_is_left_for_whoever_has_its_name(lasting: RedisServer):
    """After a failover the address leads to another server; the connection that is open still leads to the old one."""
    async with opened(lasting.url, "failover") as ledger:
        await ledger.give_back(await granted(ledger), End.ANSWERED)
        before = lasting.client.info("stats")["total_connections_received"]
        lasting.client.replicaof("127.0.0.1", 1)
        try:
            with pytest.raises(LedgerLostError, match="only reads"):
                await granted(ledger)
        finally:
            lasting.client.replicaof("NO", "ONE")
        await ledger.give_back(await granted(ledger), End.ANSWERED)
        assert lasting.client.info("stats")["total_connections_received"] > before


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("-READONLY You can't write against a read only replica.", "is a replica that only reads"),
        ("-OOM command not allowed when used memory > 'maxmemory'.", "is out of memory"),
        ("attempt to compare nil with number", "failed: Error running script"),
    ],
)
@in_a_loop
async def test_what_redis_6_says_of_a_command_inside_the_script_is_understood(
    lasting: RedisServer, monkeypatch: pytest.MonkeyPatch, said: str, told: str
):
    """Redis 6.2 wraps it in an error of the script's; the other tests meet newer servers."""
    wrapped = f"ERR Error running script (call to f_{'0' * 40}): @user_script:60: @user_script: 60: {said}"
    monkeypatch.setattr("ongage_async.governor._redis_script._whole_text", lambda: f"return {{err = [[{wrapped}]]}}")
    ledger = RedisLedger(lasting.url, LIMITS, "redis6")
    for _ in ("while the connection is made", "over the one that is there"):
        with pytest.raises(LedgerLostError, match=told):
            await ledger.take({Lane.NORMAL: 1}, 70.0)
    await ledger.aclose()


@in_a_loop
async def test_a_paused_server_is_lost_within_the_timeout_and_found_again(server: RedisServer):
    async with opened(server.url) as ledger:
        await ledger.give_back(await granted(ledger), End.ANSWERED)
        server.pause()
        began = time.monotonic()
        with pytest.raises(LedgerLostError, match="did not answer within 2 s"):
            await ledger.take({Lane.NORMAL: 1}, 0.5)
        assert time.monotonic() - began < 3.5
        server.resume()
        await granted(ledger)
        assert (await ledger.look()).tokens_free >= 17


@in_a_loop
async def test_a_cancelled_caller_loses_neither_the_grant_nor_the_connection(server: RedisServer):
    async with opened(server.url, "a") as ledger:
        await ledger.give_back(await granted(ledger), End.UNSENT)
        for pause_s in (0.0, 0.0001, 0.0003, 0.001, 0.05):
            server.pause()
            with anyio.move_on_after(pause_s):
                await ledger.take({Lane.NORMAL: 1}, 70.0)
            server.resume()
            with anyio.fail_after(5):
                while (account := await ledger.look()).places_taken or account.tokens_free < 20:  # noqa: ASYNC110
                    await anyio.sleep(0.01)


# -- leases and heartbeats --------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_long_call_keeps_its_lease_and_a_dead_process_does_not(lasting: RedisServer):
    account = f"account{next(_accounts)}"
    async with opened(lasting.url, account) as ledger, opened(lasting.url, account) as dead:
        mine, theirs = await granted(ledger, 0.4), await granted(dead, 0.4)
        assert dead._heart is not None
        dead._heart.cancel()
        commands = lasting.calls()
        await anyio.sleep(1.0)
        assert lasting.calls() - commands <= 8
        assert list((await ledger.look()).open) == [mine.id]
        assert await dead.give_back(theirs, End.UNSENT) is None
        assert (await ledger.look()).tokens_free == 18


@in_a_loop
async def test_nothing_is_sent_while_nothing_is_open(lasting: RedisServer):
    async with opened(lasting.url) as ledger:
        await ledger.give_back(await granted(ledger, 0.1), End.ANSWERED)
        await anyio.sleep(0.05)
        commands = lasting.calls()
        await anyio.sleep(0.3)
        assert lasting.calls() == commands
        assert ledger._heart is None


@in_a_loop
async def test_a_member_that_is_next_is_told_once_until_it_asks_again(server: RedisServer):
    limits = Limits(20, 5.0, 2)
    async with opened(server.url, "a", limits) as ledger, opened(server.url, "a", limits) as waiting:
        for told in (1, 2):
            mine = [await granted(ledger), await granted(ledger)]
            assert isinstance(await waiting.take({Lane.NORMAL: 1}, 70.0), Wait)
            before = server.calls("publish")
            for lease in mine:
                await ledger.give_back(lease, End.UNSENT)
            assert server.calls("publish") == before + 1, told
            await waiting.give_back(await granted(waiting), End.UNSENT)


@in_a_loop
async def test_a_member_that_was_silent_for_long_and_asks_again_is_told_when_it_is_next(server: RedisServer):
    """It had been taken out of the line meanwhile; what is known of it must be what was written then."""
    limits, now = Limits(20, 5.0, 1), time.time()
    async with opened(server.url, "a", limits) as ledger, opened(server.url, "a", limits) as waiting:
        ledger._told = waiting._told = lambda: now
        lease = await granted(ledger)
        await wait_s(waiting)
        now += 10.0
        await wait_s(waiting)
        told = server.calls("publish")
        await ledger.give_back(lease, End.UNSENT)
        assert server.calls("publish") == told + 1


# -- limits and clocks ------------------------------------------------------------------------------------------------


@in_a_loop
async def test_the_strictest_limits_hold_while_whoever_asks_for_them_is_there(lasting: RedisServer):
    async with opened(lasting.url, "strict", Limits(300, 60, 10)) as ledger:
        strict = RedisLedger(lasting.url, Limits(100, 60, 20), "strict")
        assert await strict.start(lambda: None) == Limits(100, 60, 10)
        assert (await ledger.look()).limits == Limits(100, 60, 10)
        await strict.aclose()
        assert (await ledger.look()).limits == Limits(300, 60, 10)


@in_a_loop
async def test_a_clients_clock_that_jumps_moves_no_date(lasting: RedisServer, monkeypatch: pytest.MonkeyPatch):
    async with opened(lasting.url, limits=Limits(1, 5.0, 1)) as ledger:
        await ledger.give_back(await granted(ledger), End.ANSWERED)
        until = (await ledger.look()).homecoming()
        for jump_s in (7200.0, -7200.0):
            await eventually(lambda: not ledger._is_joining)
            await anyio.sleep(0.05)
            real = time.monotonic
            monkeypatch.setattr("ongage_async.governor._redis.time.monotonic", lambda r=real, j=jump_s: r() + j)
            assert 0 < await wait_s(ledger) < 5.1
            monkeypatch.undo()
        assert list((await ledger.look()).homecoming()) == pytest.approx(list(until))


@in_a_loop
async def test_a_servers_clock_that_is_put_forward_brings_no_token_home(lasting: RedisServer):
    async with opened(lasting.url, limits=Limits(1, 5.0, 1)) as ledger:
        await ledger.give_back(await granted(ledger), End.ANSWERED)
        ledger._clock._least -= 3600.0  # to this member, the server's clock has jumped an hour ahead
        ledger._clock._most -= 3600.0
        assert 4.0 < await wait_s(ledger) < 5.1


# -- secrets and addresses --------------------------------------------------------------------------------------------

SECRET = "s3cret-w0rd"


@in_a_loop
async def test_password_and_database_are_used_and_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    server = RedisServer(tmp_path, password=SECRET)
    seen = []
    try:
        url = f"valkey://:{SECRET}@127.0.0.1:{server.port}/3"
        async with opened(url) as ledger:
            await granted(ledger)
            seen += [repr(ledger), str(ledger), repr(ledger._address), repr(ledger._wire)]
        assert "db3" in server.client.info("keyspace")
        for wrong in (f"redis://:{SECRET}x@127.0.0.1:{server.port}/0", f"redis://{SECRET}:{SECRET}@127.0.0.1:1/0"):
            with pytest.raises(LedgerLostError) as lost:
                await RedisLedger(wrong, LIMITS, "b").start(lambda: None)
            seen += [str(lost.value), repr(lost.value)]
    finally:
        server.stop()
    assert "refused the user name or the password" in seen[4]
    assert SECRET not in " ".join(seen) + caplog.text


@pytest.mark.parametrize(
    "url", [f"redis://:{SECRET}@host:port/0", f"redis://:{SECRET}@host/name", f"http://{SECRET}@host"]
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str):
    with pytest.raises(ConfigurationError) as refused:
        RedisLedger(url, LIMITS, "a")
    assert SECRET not in str(refused.value)


@pytest.fixture
def behind_tls(lasting: RedisServer, tmp_path: Path) -> Iterator[str]:
    """An endpoint that speaks TLS and relays to the server, which need not be built with it."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ready, port = threading.Event(), 0
    done: asyncio.Event
    loop: asyncio.AbstractEventLoop

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", lasting.port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        try:
            await asyncio.gather(pump(reader, there[1]), pump(there[0], writer), return_exceptions=True)
        finally:
            writer.close()
            there[1].close()

    async def serve() -> None:
        nonlocal port, done, loop
        done, loop = asyncio.Event(), asyncio.get_running_loop()
        async with await asyncio.start_server(relay, "localhost", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            ready.set()
            await done.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(5)
    yield f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path / 'ca.pem'}"
    loop.call_soon_threadsafe(done.set)
    thread.join(5)


@in_a_loop
async def test_tls_works_and_an_unknown_authority_is_refused(behind_tls: str):
    async with opened(behind_tls) as ledger:
        await granted(ledger)
    with pytest.raises(LedgerLostError, match="cannot be reached"):
        await RedisLedger(behind_tls.partition("?")[0], LIMITS, "a").start(lambda: None)


def test_without_redis_py_the_error_says_what_to_install():
    code = "import sys; sys.modules['redis'] = None; import ongage_async.governor._redis"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'ongage-async[redis]'" in done.stderr


# -- processes and loops ----------------------------------------------------------------------------------------------


def test_a_forked_child_is_a_member_of_its_own(lasting: RedisServer):
    ledger = RedisLedger(lasting.url, LIMITS, "fork", margin_s=1.0)
    with asyncio.Runner() as runner:
        runner.run(ledger.start(lambda: None))
        mine = runner.run(granted(ledger))
        name = ledger.name
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                asyncio.set_event_loop(None)
                asyncio._set_running_loop(None)

                async def child() -> None:
                    assert (await granted(ledger)).member != name
                    assert await ledger.give_back(mine, End.UNSENT) is None
                    assert len((await ledger.look()).open) == 2

                asyncio.new_event_loop().run_until_complete(child())
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        runner.run(ledger.give_back(mine, End.ANSWERED))
        account = runner.run(ledger.look())
        assert (account.tokens_free, account.places_taken) == (18, 1)
        assert name in account.members
        runner.run(ledger.aclose())


def test_children_that_were_forked_before_the_first_use_are_members_of_their_own(lasting: RedisServer):
    ledger = RedisLedger(lasting.url, LIMITS, "preloaded")
    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                asyncio.run(ledger.start(lambda: None))
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 0]
    assert lasting.client.zcard("{ongage:preloaded}:names") == 2


def test_a_ledger_works_in_one_loop_after_another(lasting: RedisServer):
    ledger = RedisLedger(lasting.url, LIMITS, "loops")

    async def once() -> None:
        await ledger.start(lambda: None)
        await ledger.give_back(await granted(ledger), End.ANSWERED)
        await ledger.aclose()

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(once, backend=backend)


def test_a_cluster_node_that_has_the_account_is_found(tmp_path: Path):
    with cluster_of_two(tmp_path) as (one, two):

        async def use() -> None:
            async with opened(one.url) as ledger, opened(one.url) as other:
                await granted(ledger)
                await granted(other)

        asyncio.run(use())
        assert two.calls() > 0
