"""The short way to the vendor: one connection, one exchange at a time, over real sockets, on every event loop."""

import asyncio
import contextlib
import gc
import gzip
import os
import select
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trio.testing
import trustme
from attrs import define, field

from ongage_async import (
    ApiKey,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    OngageClient,
    ResponseTimeoutError,
    RetryPolicy,
    TransportError,
)
from ongage_async._transport import Transport, _connection, _httpx
from ongage_async._transport._transport import _Host
from ongage_async._wire import WireRequest
from ongage_async.emulator.virtual_time import VirtualTimeLoop
from tests.client.servers import FINE, RawServer, chunked, closing, plain, requests_of, zipped

pytestmark = pytest.mark.anyio

GET = WireRequest("GET", "/api/lists?private=1", "/api/lists")
POST = WireRequest("POST", "/api/lists", "/api/lists", b'{"name":"x"}', {"content-type": "application/json"})
EMPTY = WireRequest("POST", "/api/lists/7", "/api/lists/{id}")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
MEGABYTE = 1024 * 1024
VIRTUAL = [
    ("asyncio", {"loop_factory": VirtualTimeLoop}),
    ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}),
]
"""Two patiences that end one after the other must not end at once because the machine stood still meanwhile."""


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return ("asyncio", {"use_uvloop": True}) if request.param == "uvloop" else request.param


@define(eq=False)
class Scripted(RawServer):
    """Let a script say what a connection does; it is given the socket."""

    script: Callable[[socket.socket], object] = field(kw_only=True)

    def _talk(self, line: socket.socket) -> None:
        self.script(line)


def reply(body: bytes, *headers: str) -> Callable[[bytes], bytes]:
    lines = "".join(f"{line}\r\n" for line in (*headers, f"content-length: {len(body)}"))
    return lambda _: b"HTTP/1.1 200 OK\r\n" + lines.encode() + b"\r\n" + body


class Taker:
    """A sink that takes as much as it is told to, when it is told to."""

    def __init__(self, *, takes: bool = True, pieces: int | None = None) -> None:
        self.may_go_on = anyio.Event()
        self.body = bytearray()
        self._takes, self._left = takes, pieces

    def takes(self, status: int, headers: Any, head: bytes) -> bool:
        return self._takes

    async def put(self, piece: bytes) -> bool:
        await self.may_go_on.wait()
        self.body += piece
        self._left = None if self._left is None else self._left - 1
        return self._left != 0


async def sent_by(transport: Transport, request: WireRequest = GET, timeout_s: float = 10.0, **more: Any) -> Any:
    try:
        return await transport.send(request, timeout_s, **more)
    finally:
        await transport.aclose()


# --- what is sent ----------------------------------------------------------------------------------------------------


async def test_a_request_says_who_asks_for_what_and_how_long_it_is():
    with RawServer() as server:
        transport = Transport(f"{server.url}/v1", {"X_PASSWORD": "p"})
        for request in (GET, POST, EMPTY):
            await transport.send(request, 10.0)
        await transport.aclose()
        host = f"host: {server.url[7:]}"
    get, post, empty = (sent.decode().split("\r\n") for sent in server.requests)
    assert get[0] == "GET /v1/api/lists?private=1 HTTP/1.1"
    assert {host, "X_PASSWORD: p", "accept-encoding: gzip"} < set(get)
    assert not any(line.startswith("content-length") for line in get)
    assert post[0] == "POST /v1/api/lists HTTP/1.1"
    assert {"content-type: application/json", "content-length: 12"} < set(post)
    assert post[-1] == '{"name":"x"}'
    assert "content-length: 0" in empty
    assert server.accepted == 1


@pytest.mark.parametrize(
    ("url", "name", "port", "host"),
    [
        ("https://api.ongage.net", "api.ongage.net", 443, b"api.ongage.net"),
        ("https://api.ongage.net:8443/x", "api.ongage.net", 8443, b"api.ongage.net:8443"),
        ("http://[::1]:80", "::1", 80, b"[::1]"),
        ("http://bücher.test:81", "xn--bcher-kva.test", 81, b"xn--bcher-kva.test:81"),
    ],
)
def test_a_host_is_named_as_its_url_says(url: str, name: str, port: int, host: bytes):
    made = _Host.of(url, {})
    assert (made.name, made.port) == (name, port)
    assert dict(made.headers)[b"host"] == host


@pytest.mark.parametrize("url", ["http://127.0.0.1:x", "http://127.0.0.1:99999", "http://♥.test\n"])
def test_a_url_that_names_no_host_is_refused_at_once(url: str):
    with pytest.raises(ConfigurationError, match="base_url"):
        Transport(url, {})


async def test_a_host_that_cannot_exist_is_a_connect_error():
    with pytest.raises(ConnectError):
        await sent_by(Transport(f"http://{'x' * 70}.test", {}))


async def test_a_header_that_http_cannot_carry_is_refused_unsent_and_unshown():
    with RawServer() as server:
        with pytest.raises(ConnectError) as caught:
            await sent_by(Transport(server.url, {"x-key": "secret\nwords"}))
        assert server.requests == []
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_megabytes_go_both_ways():
    def echo(request: bytes) -> bytes:
        return reply(request.partition(b"\r\n\r\n")[2])(b"")

    body = os.urandom(4 * MEGABYTE)
    with RawServer(echo) as server:
        assert (await sent_by(Transport(server.url, {}), WireRequest("POST", "/", "/", body))).body == body


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", ["gzip", "x-gzip", "deflate", "GZIP"])
async def test_compressed_bodies_are_read(packed: str):
    bits = zlib.MAX_WBITS if packed == "deflate" else 16 + zlib.MAX_WBITS
    press = zlib.compressobj(wbits=bits)
    body = press.compress(FINE * 1000) + press.flush()
    with RawServer(reply(body, f"Content-Encoding: {packed}")) as server:
        response = await sent_by(Transport(server.url, {}))
    assert response.body == FINE * 1000
    assert response.headers["content-encoding"] == packed


def packed_raw(body: bytes) -> bytes:
    press = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return press.compress(body) + press.flush()


@pytest.mark.parametrize("is_poured", [False, True], ids=["whole", "poured"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [("gzip", gzip.compress(FINE[:9]) + gzip.compress(FINE[9:])), ("deflate", packed_raw(FINE))],
    ids=["gzip in two members", "deflate without its frame"],
)
async def test_odd_ways_of_packing_are_read_to_the_end(kind: str, body: bytes, is_poured: bool):
    taker = Taker()
    taker.may_go_on.set()
    with RawServer(reply(body, f"content-encoding: {kind}")) as server:
        response = await sent_by(Transport(server.url, {}), sink=taker if is_poured else None)
    assert (bytes(taker.body) if is_poured else response.body) == FINE


async def test_a_packed_file_that_breaks_off_is_not_taken_for_whole():
    taker = Taker()
    taker.may_go_on.set()
    half = reply(gzip.compress(FINE)[:-9], "content-encoding: gzip")
    with RawServer(half) as server, pytest.raises(ConnectionLostError):
        await sent_by(Transport(server.url, {}), sink=taker)


async def test_a_compressed_body_of_nothing_is_empty():
    with RawServer(lambda _: b"HTTP/1.1 204 No Content\r\ncontent-encoding: gzip\r\n\r\n") as server:
        assert (await sent_by(Transport(server.url, {}))).body == b""


@pytest.mark.parametrize("body", [b"no gzip", zipped(b"").partition(b"\r\n\r\n")[2][:-9]], ids=["garbage", "half"])
async def test_a_body_that_cannot_be_unpacked_is_a_lost_answer(body: bytes):
    with RawServer(reply(body, "content-encoding: gzip")) as server, pytest.raises(ConnectionLostError):
        await sent_by(Transport(server.url, {}))


async def test_news_before_the_answer_is_passed_over():
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    with RawServer(lambda request: early + plain(request)) as server:
        assert (await sent_by(Transport(server.url, {}))).body == FINE


@pytest.mark.parametrize(
    "answer",
    {
        "nothing": b"",
        "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
        "half a body": HEAD % 100 + b"x" * 50,
        "half a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\nxx",
        "no http": b"220 mail.test ESMTP\r\n",
        "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        "an endless head": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000,
    }.items(),
    ids=lambda pair: pair[0],
)
async def test_an_answer_that_breaks_off_is_a_lost_connection_and_the_next_call_has_a_new_one(
    answer: tuple[str, bytes],
):
    with RawServer(lambda _: answer[1], hang_up_after=1) as server:
        transport = Transport(server.url, {})
        with pytest.raises(ConnectionLostError, match="/api/lists") as caught:
            await transport.send(GET, 10.0)
        assert "private" not in str(caught.value)
        server.answer = plain
        assert (await transport.send(GET, 10.0)).body == FINE
        await transport.aclose()
    assert server.accepted == 2


async def test_a_body_that_ends_with_its_connection_is_whole():
    with RawServer(lambda _: b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + FINE) as server:
        transport = Transport(server.url, {})
        for _ in range(2):
            assert (await transport.send(GET, 10.0)).body == FINE
        await transport.aclose()
    assert server.accepted == 2


async def test_an_answer_that_trickles_ends_at_the_deadline():
    left = threading.Event()

    def trickle(line: socket.socket) -> None:
        requests = requests_of(line)
        line.sendall(plain(next(requests)))
        next(requests)
        line.sendall(HEAD % 1000)
        while not left.wait(0.01):
            line.sendall(b"x")

    with Scripted(script=trickle) as server:
        transport = Transport(server.url, {})
        await transport.send(GET, 10.0)  # so that connecting takes nothing of the time
        began = time.monotonic()
        with pytest.raises(ResponseTimeoutError, match=r"timeout_s=0\.2"):
            await sent_by(transport, timeout_s=0.2)
        assert 0.19 < time.monotonic() - began < 5.0
        left.set()


class Flood:
    """A stream on which an endless body comes faster than anybody reads."""

    def __init__(self) -> None:
        self.reads = 0

    async def read(self, timeout_s: float) -> bytes:
        self.reads += 1
        assert self.reads < 1_000
        await anyio.sleep(0.001)
        return HEAD % 10**12 if self.reads == 1 else b"x" * 1024

    async def write(self, data: bytes, timeout_s: float) -> None: ...

    def is_quiet(self) -> bool:
        return False

    async def aclose(self) -> None: ...


async def test_an_endless_body_that_never_pauses_ends_at_the_deadline():
    """There is always something to read, so no wait for it is ever too long."""
    connection = _connection.Connection(Flood())
    with pytest.raises(ResponseTimeoutError):
        await connection.exchange(GET, b"/", [(b"host", b"x")], 0.05, None, time.monotonic())


def hurried(status: bytes) -> Callable[[socket.socket], None]:
    """Answer as soon as a request's head is there; leave when the test has ended."""

    def answer(line: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += line.recv(4096)
        line.sendall(b"HTTP/1.1 %s\r\ncontent-length: 2\r\n\r\nno" % status)

    return answer


LARGE = WireRequest("POST", "/", "/", b"x" * 32 * MEGABYTE)


async def test_a_refusal_in_the_middle_of_a_request_is_heard_though_the_server_hangs_up():
    with Scripted(script=hurried(b"413 Too Large\r\nconnection: close")) as server:
        assert (await sent_by(Transport(server.url, {}), LARGE)).status == 413


@pytest.mark.parametrize("anyio_backend", ["asyncio", ("asyncio", {"use_uvloop": True})], ids=["asyncio", "uvloop"])
async def test_a_connection_that_has_not_taken_all_of_a_request_is_not_used_for_the_next():
    """On trio the answer is read when the request is out, so there is none."""
    left, answer = threading.Event(), hurried(b"413 Too Large")
    with Scripted(script=lambda line: [answer(line), left.wait(5.0)]) as server:
        transport = Transport(server.url, {})
        for request in (LARGE, GET):
            assert (await transport.send(request, 5.0)).status == 413
        await transport.aclose()
        left.set()
    assert server.accepted == 2


async def test_a_server_that_never_takes_the_request_is_late():
    def answer_once(line: socket.socket) -> None:
        line.sendall(plain(next(requests_of(line))))
        server.hung_up.wait(5.0)

    with Scripted(script=answer_once) as server:
        transport = Transport(server.url, {})
        await transport.send(GET, 10.0)  # so that connecting takes nothing of the time
        with pytest.raises(ResponseTimeoutError):
            await sent_by(transport, LARGE, timeout_s=0.2)
        server.hung_up.set()


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def test_tls_answers_are_read_and_the_connection_serves_again(authority: trustme.CA):
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(served)
    authority.configure_trust(trusting)
    body = os.urandom(MEGABYTE)
    with RawServer(reply(body), tls=served) as server:
        transport = Transport(server.url, {}, ssl_context=trusting)
        for _ in range(5):
            assert (await transport.send(POST, 10.0)).body == body
        await transport.aclose()
        assert await anyio.to_thread.run_sync(server.hung_up.wait, 5.0)
    assert server.accepted == 1


@define(eq=False)
class TwoRecords(RawServer):
    """Say two answers to one request, in two TLS records that come together."""

    served: ssl.SSLContext = field(kw_only=True)

    def _talk(self, line: socket.socket) -> None:
        come, gone = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.served.wrap_bio(come, gone, server_side=True)
        self._until_done(line, tls.do_handshake, come, gone)
        while True:
            self._until_done(line, lambda: tls.read(65536), come, gone)
            for answer in (plain(b""), reply(b"a stranger's")(b"")):
                tls.write(answer)
            line.sendall(gone.read())

    def _until_done(
        self, line: socket.socket, step: Callable[[], object], come: ssl.MemoryBIO, gone: ssl.MemoryBIO
    ) -> None:
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                line.sendall(gone.read())
                if not (data := line.recv(65536)):
                    raise ConnectionResetError from None
                come.write(data)
            else:
                return


async def test_what_tls_has_read_beyond_an_answer_is_not_taken_for_the_next_one(authority: trustme.CA):
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(served)
    authority.configure_trust(trusting)
    with TwoRecords(served=served) as server:
        transport = Transport(server.url.replace("http://127.0.0.1", "https://localhost"), {}, ssl_context=trusting)
        bodies = [(await transport.send(GET, 10.0)).body for _ in range(3)]
        await transport.aclose()
    assert bodies == [FINE] * 3


@pytest.mark.parametrize("anyio_backend", VIRTUAL, ids=["asyncio", "trio"])
async def test_a_host_that_never_takes_a_connection_is_known_to_have_got_nothing():
    """The caller's patience must not end before the attempt to connect: what was not sent may be sent again."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent, contextlib.ExitStack() as queue:
        for _ in range(4):  # it accepts nobody, so the system soon answers no more
            one = queue.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(silent.getsockname())
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with OngageClient(ApiKey("k"), base_url=url, timeout_s=30.0, retry=RetryPolicy.none()) as client:
            with pytest.raises(ConnectError):
                await client.lists.get(7)


async def test_a_handshake_that_never_ends_is_a_connect_error():
    with Scripted(script=lambda line: [line.recv(1) for _ in range(10_000)]) as server:
        url, began = server.url.replace("http:", "https:"), time.monotonic()
        with pytest.raises(ConnectError, match=r"0\.09 s"):
            await sent_by(Transport(url, {}, ssl_context=ssl.create_default_context()), timeout_s=0.1)
        assert time.monotonic() - began < 5.0


# --- idle connections ------------------------------------------------------------------------------------------------


async def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch):
    with RawServer() as server:
        transport = Transport(server.url, {})
        await transport.send(GET, 10.0)
        await transport.send(GET, 10.0)
        assert server.accepted == 1
        now = time.monotonic
        monkeypatch.setattr(_connection.time, "monotonic", lambda: now() + _connection.KEEP_IDLE_S)
        await transport.send(GET, 10.0)
        await transport.aclose()
    assert server.accepted == 2


async def test_a_close_that_the_loop_has_not_seen_yet_is_seen():
    """The server hangs up while this thread computes: nobody told the loop, and the request must not go there."""
    with RawServer(hang_up_after=1) as server:
        transport = Transport(server.url, {})
        for _ in range(5):
            server.hung_up.clear()
            await transport.send(POST, 10.0)
            server.hung_up.wait(5.0)  # without the loop
        await transport.aclose()
    assert len(server.requests) == server.accepted == 5


@pytest.mark.parametrize("anyio_backend", ["asyncio", ("asyncio", {"use_uvloop": True})], ids=["asyncio", "uvloop"])
async def test_where_sockets_cannot_be_asked_the_loop_is(monkeypatch: pytest.MonkeyPatch):
    """Windows has no `poll`; trio knows another way there by itself."""
    monkeypatch.delattr(select, "poll")
    with RawServer(hang_up_after=2) as server:
        transport = Transport(server.url, {})
        for _ in range(3):
            await transport.send(GET, 10.0)
            await anyio.sleep(0.01)
        await transport.aclose()
    assert server.accepted == 2


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the first loop's connection
def test_a_connection_stays_in_its_event_loop():
    """Also a process that was forked has a loop of its own: two may not talk on one connection."""
    with RawServer() as server:
        transport = Transport(server.url, {})
        asyncio.run(transport.send(POST, 10.0))
        assert asyncio.run(transport.send(POST, 10.0)).body == FINE
        asyncio.run(transport.aclose())
        gc.collect()
    assert len(server.requests) == server.accepted == 2


async def test_what_a_server_says_beyond_its_answer_is_not_taken_for_the_next_one():
    late = reply(b"a stranger's")(b"")
    with RawServer(lambda request: plain(request) + late) as server:
        transport = Transport(server.url, {})
        for _ in range(3):
            assert (await transport.send(GET, 10.0)).body == FINE
        await transport.aclose()
    assert server.accepted == 3


async def test_calls_leave_no_connection_open():
    kinds = [plain, zipped, chunked, closing, lambda _: b"", lambda _: HEAD % 9 + b"x"]
    with RawServer() as server:
        server.answer = lambda request: kinds[len(server.requests) % len(kinds)](request)
        transport = Transport(server.url, {})

        async def caller() -> None:
            for _ in range(30):
                with contextlib.suppress(TransportError):
                    await transport.send(GET, 0.03)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(caller)
        await transport.aclose()
        assert await anyio.to_thread.run_sync(no_peer_is_left, server)


async def test_ten_thousand_calls_leave_no_descriptor():
    with RawServer() as server:
        transport = Transport(server.url, {})
        await transport.send(GET, 10.0)
        before = descriptors()

        async def caller(number: int) -> None:
            for _ in range(1000):
                await transport.send(GET if number else POST, 10.0)

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(caller, number)
        assert descriptors() <= before + 2 * 9
        await transport.aclose()
        assert await anyio.to_thread.run_sync(no_peer_is_left, server)
        assert descriptors() <= before - 2
    assert server.accepted == 10


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def no_peer_is_left(server: RawServer) -> bool:
    """Wait until the server has seen every connection end."""
    for _ in range(500):
        if server.ended == server.accepted:
            return True
        time.sleep(0.01)
    return False


def test_a_loop_that_ends_in_the_middle_of_an_exchange_leaves_nothing_behind():
    async def leave(transport: Transport) -> None:
        asyncio.get_running_loop().create_task(transport.send(GET, 10.0)).add_done_callback(lambda _: None)
        await asyncio.sleep(0.02)

    with Scripted(script=lambda line: [line.recv(65536), server.hung_up.wait(5.0)]) as server:
        asyncio.run(leave(Transport(server.url, {})))
        server.hung_up.set()
    gc.collect()  # a socket that was lost warns now, and warnings are errors


# --- bodies that are poured ------------------------------------------------------------------------------------------


async def test_a_body_is_poured_as_it_comes_and_as_it_is():
    body = os.urandom(MEGABYTE)
    with RawServer(reply(body)) as server:
        taker = Taker()
        taker.may_go_on.set()
        response = await sent_by(Transport(server.url, {}), sink=taker)
        assert b"accept-encoding: identity" in server.requests[0]
    assert (response.is_poured, response.body) == (True, b"")
    assert taker.body == body


async def test_a_body_that_is_compressed_though_nobody_asked_is_poured_unpacked():
    with RawServer(zipped) as server:
        taker = Taker()
        taker.may_go_on.set()
        await sent_by(Transport(server.url, {}), sink=taker)
    assert taker.body == FINE


async def test_a_body_that_the_sink_does_not_take_is_read_whole():
    with RawServer(chunked) as server:
        response = await sent_by(Transport(server.url, {}), sink=Taker(takes=False))
    assert (response.is_poured, response.body) == (False, FINE)


async def test_a_sink_that_has_enough_ends_the_exchange_and_its_connection():
    with RawServer(reply(bytes(8 * MEGABYTE))) as server:
        taker = Taker(pieces=1)
        taker.may_go_on.set()
        with pytest.raises(ConnectionLostError):
            await sent_by(Transport(server.url, {}), sink=taker)
        assert await anyio.to_thread.run_sync(server.hung_up.wait, 5.0)
    assert len(taker.body) < 2 * MEGABYTE


async def test_a_slow_sink_holds_the_server_up_and_not_the_body_in_memory():
    sent = 0

    def flood(line: socket.socket) -> None:
        nonlocal sent
        next(requests_of(line))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        line.sendall(HEAD % (32 * MEGABYTE))
        for _ in range(32 * 16):
            line.sendall(bytes(MEGABYTE // 16))
            sent += MEGABYTE // 16

    with Scripted(script=flood) as server:
        taker, transport = Taker(), Transport(server.url, {})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: transport.send(GET, 10.0, taker))
            before = -1
            while before != sent or not sent:  # until the server stands still
                before = sent
                await anyio.sleep(0.05)
            assert sent < 16 * MEGABYTE
            taker.may_go_on.set()
        await transport.aclose()
    assert sent == 32 * MEGABYTE


# --- who watches -----------------------------------------------------------------------------------------------------


def test_nobody_watches_httpx_as_it_is_installed():
    """This also says that the installed httpx still has the functions that libraries replace."""
    assert not _httpx.is_watched()


class Wrapped:
    """What wrapt makes of a function: callable, bound like it, and it calls itself by its name."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.__module__ = function.__module__
        self.__globals__ = function.__globals__

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else lambda *args, **named: self._function(instance, *args, **named)

    @property
    def __class__(self) -> Any:
        return type(self._function)


@pytest.mark.parametrize("door", _httpx._DOORS, ids=lambda door: door[1])
@pytest.mark.parametrize("make", [Wrapped, lambda function: lambda *args, **named: function(*args, **named)])
async def test_whoever_wraps_httpx_sees_our_calls(door: Any, make: Any, monkeypatch: pytest.MonkeyPatch):
    with RawServer() as server:
        transport = Transport(server.url, {})
        await transport.send(GET, 10.0)
        with monkeypatch.context() as patch:
            patch.setattr(*door, make(getattr(*door)))
            assert (await transport.send(GET, 10.0)).body == FINE
        await transport.send(GET, 10.0)
        await transport.aclose()
    agents = [b"user-agent: ongage_async" in sent for sent in server.requests]
    assert agents == [True, False, True]


async def test_whoever_replaces_the_client_of_httpx_sends_our_calls(monkeypatch: pytest.MonkeyPatch):
    """As older tracers do, and `mock.patch("httpx.AsyncClient")`."""

    class Other(httpx.AsyncClient):
        async def send(self, request: httpx.Request, **_: Any) -> httpx.Response:
            return httpx.Response(201, request=request)

    transport = Transport("http://127.0.0.1:9", {})
    monkeypatch.setattr(httpx, "AsyncClient", Other)
    assert (await sent_by(transport)).status == 201


async def test_whoever_mocks_the_transport_of_httpx_answers_for_the_vendor(monkeypatch: pytest.MonkeyPatch):
    async def answer(self: Any, request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, content=request.url.raw_path)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    response = await sent_by(Transport("http://127.0.0.1:9", {}))
    assert (response.status, response.body) == (201, b"/api/lists?private=1")
