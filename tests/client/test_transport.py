"""What lies between the client and the vendor: proxies, TLS, own clients, mocks, odd servers, broken answers."""

import contextlib
import gc
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
import respx
import trustme

from ongage_async import (
    APIError,
    ApiKey,
    ConnectError,
    ConnectionLostError,
    Credentials,
    DecodeError,
    OngageClient,
    Outcome,
    ResponseTimeoutError,
    RetryPolicy,
)
from ongage_async.emulator import Emulator, Fault
from tests.client.conftest import TRUST, Wire
from tests.client.servers import FINE, Proxy, RawServer, chunked, closing, plain, zipped
from tests.support import client_of

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy.none()
SOON = RetryPolicy(ladder_s=(0.01,) * 3, connection_ladder_s=(0.01,) * 3)
KEY = ApiKey("a-key")


def client_at(url: str, **options: Any) -> OngageClient:
    options.setdefault("ssl_context", TRUST)
    options.setdefault("retry", ONCE)
    return OngageClient(KEY, base_url=url, **options)


async def ten_at_once(ongage: OngageClient, calls: int = 10) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(calls):
            tasks.start_soon(ongage.lists.page)


# --- proxies ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as made:
        yield made


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_from_the_environment_is_used(
    emulator: Emulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, variable: str
):
    monkeypatch.setenv(variable, proxy.url)
    async with client_of(emulator, ssl_context=TRUST) as ongage:
        assert (await ongage.lists.page()).total == 1
    assert proxy.lines == [f"GET {emulator.url}/api/lists HTTP/1.1"]


async def test_hosts_in_no_proxy_are_reached_directly(
    emulator: Emulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with client_of(emulator, ssl_context=TRUST) as ongage:
        assert (await ongage.lists.page()).total == 1
    assert proxy.accepted == 0


async def test_https_goes_through_a_tunnel_and_the_proxy_sees_no_key(
    tls: ssl.SSLContext, trusting: ssl.SSLContext, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with RawServer(tls=tls) as server:
        async with client_at(server.url, ssl_context=trusting) as ongage:
            await ongage.lists.page()
        assert proxy.lines == [f"CONNECT {server.url[8:]} HTTP/1.1"]
        assert b"x-api-key: a-key" in server.requests[0]
    assert b"a-key" not in b"".join(proxy.heads)


async def test_a_proxy_that_is_not_there_is_a_connect_error(emulator: Emulator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with client_of(emulator, ssl_context=TRUST, retry=ONCE) as ongage:
        with pytest.raises(ConnectError) as caught:
            await ongage.lists.page()
    assert caught.value.outcome is Outcome.NOT_SENT


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_a_private_authority_is_trusted_by_a_context(tls: ssl.SSLContext, trusting: ssl.SSLContext):
    with RawServer(tls=tls) as server:
        async with client_at(server.url, ssl_context=trusting) as ongage:
            assert (await ongage.lists.page()).total == 0


async def test_a_private_authority_is_trusted_by_ssl_cert_file(
    tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with RawServer(tls=tls) as server:
        async with client_at(server.url, ssl_context=None) as ongage:
            assert (await ongage.lists.page()).total == 0


async def test_an_authority_that_nobody_trusts_is_refused_before_anything_is_sent(tls: ssl.SSLContext):
    with RawServer(tls=tls) as server:
        async with client_at(server.url) as ongage:
            with pytest.raises(ConnectError, match="CERTIFICATE_VERIFY_FAILED") as caught:
                await ongage.lists.page()
        assert server.requests == []
    assert caught.value.outcome is Outcome.NOT_SENT


# --- a client of the caller's ----------------------------------------------------------------------------------------

STACKS: dict[str, Any] = {"httpx": httpx, "httpx2": httpx2}


@pytest.mark.parametrize("stack", STACKS)
async def test_the_limits_of_a_callers_client_hold_and_it_stays_open(emulator: Emulator, wire: Wire, stack: str):
    made = STACKS[stack]
    async with made.AsyncClient(verify=TRUST, limits=made.Limits(max_connections=2)) as mine:
        async with client_of(emulator, http_client=mine) as ongage:
            await ten_at_once(ongage, 30)
        assert (await mine.get(f"{emulator.url}/api/lists")).status_code == 401
    assert wire.connections <= 2
    assert len(wire.sent) == 31


@pytest.mark.parametrize("stack", STACKS)
async def test_a_callers_client_meets_broken_answers_like_our_own(emulator: Emulator, stack: str):
    async with STACKS[stack].AsyncClient(verify=TRUST) as mine:
        once = client_of(emulator, http_client=mine, retry=ONCE)
        assert (await once.lists.page()).total == 1
        emulator.faults.add("lists.page", Fault.delay(1.5), times=1)
        emulator.faults.add("lists.page", Fault.drop(), times=1)
        emulator.faults.add("lists.page", Fault.half_body(), times=1)
        with pytest.raises(ResponseTimeoutError):
            await once.with_options(timeout_s=0.1).lists.page()
        for _ in range(2):
            with pytest.raises(ConnectionLostError):
                await once.lists.page()
        assert (await once.lists.page()).total == 1
        await once.aclose()


@pytest.mark.parametrize("stack", STACKS)
async def test_redirects_are_not_followed_even_by_a_client_that_would(stack: str):
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"
    with RawServer(lambda _: moved) as server:
        async with (
            STACKS[stack].AsyncClient(verify=TRUST, follow_redirects=True) as mine,
            client_at(server.url, http_client=mine, ssl_context=None) as ongage,
        ):
            with pytest.raises(APIError, match="302"):
                await ongage.lists.page()
        assert server.accepted == 1


@respx.mock
async def test_respx_mocks_our_own_client_as_it_mocks_any_httpx(respx_mock: respx.MockRouter):
    route = respx_mock.get("https://api.ongage.net/api/lists/7").respond(
        json={"metadata": {"error": False}, "payload": {"id": "7", "name": "mine"}}
    )
    async with OngageClient(Credentials("u@doe.com", "p", "c"), ssl_context=TRUST) as ongage:
        assert (await ongage.lists.get(7)).name == "mine"
    assert route.calls.last.request.headers["x_account_code"] == "c"


async def test_respx_as_a_block_plays_errors_too():
    async with client_at("https://api.ongage.com") as ongage:
        with respx.mock:
            respx.get("https://api.ongage.com/api/lists").mock(side_effect=httpx.ReadTimeout)
            with pytest.raises(ResponseTimeoutError):
                await ongage.lists.page()
            with pytest.raises(Exception, match="not mocked") as caught:
                await ongage.lists.get(7)
            assert type(caught.value).__name__ == "AllMockedAssertionError"


# --- connections -----------------------------------------------------------------------------------------------------


async def test_ten_callers_use_ten_connections_at_most_and_use_them_again(emulator: Emulator, wire: Wire):
    wire.app.latency = 0.002
    async with client_of(emulator, ssl_context=TRUST) as ongage:
        for _ in range(5):
            await ten_at_once(ongage, 20)
    assert len(wire.sent) == 100
    assert wire.connections <= 10


async def test_one_caller_uses_one_connection(ongage: OngageClient, wire: Wire):
    for _ in range(10):
        await ongage.lists.page()
    assert wire.connections == 1


async def test_a_server_that_closes_after_each_answer_gets_a_new_connection_each_time():
    with RawServer(closing) as server:
        async with client_at(server.url) as ongage:
            for _ in range(3):
                assert (await ongage.lists.page()).total == 0
        assert server.accepted == len(server.requests) == 3


async def test_a_connection_that_the_server_closed_between_two_calls_is_replaced_without_a_word():
    with RawServer(hang_up_after=1) as server:
        async with client_at(server.url) as ongage:
            for sent in (1, 2, 3):
                server.hung_up.clear()
                await ongage.request("POST", "/api/lists", json={"name": "x"})
                await anyio.to_thread.run_sync(server.hung_up.wait, 5.0)
                assert len(server.requests) == sent
        assert server.accepted == 3


@pytest.mark.parametrize("answer", [plain, zipped, chunked])
async def test_answers_are_read_however_they_are_packed(answer: Callable[[bytes], bytes]):
    with RawServer(answer) as server:
        async with client_at(server.url) as ongage:
            assert (await ongage.request("GET", "/api/lists")).payload == []
        assert b"accept-encoding: gzip" in server.requests[0].lower()
        assert FINE.decode().count("total") == 1


async def test_a_client_is_closed_with_its_connections(emulator: Emulator):
    with RawServer() as server:
        async with client_at(server.url) as ongage:
            await ongage.lists.page()
            assert not server.hung_up.is_set()
        assert await anyio.to_thread.run_sync(server.hung_up.wait, 5.0)


# --- broken answers --------------------------------------------------------------------------------------------------

BROKEN = {
    "drop": (Fault.drop(), ConnectionLostError),
    "half body": (Fault.half_body(), ConnectionLostError),
    "garbage": (Fault.garbage(), DecodeError),
    "empty": (Fault.garbage(b""), DecodeError),
    "late": (Fault.delay(1.5), ResponseTimeoutError),
    "drip": (Fault.drip(0.02, 2), ResponseTimeoutError),
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_answer_is_an_error_of_its_kind_and_the_next_call_works(emulator: Emulator, broken: str):
    fault, kind = BROKEN[broken]
    emulator.faults.add("lists.page", fault, times=1)
    patience_s = 0.5 if kind is ResponseTimeoutError else 10.0
    async with client_of(emulator, ssl_context=TRUST, retry=ONCE) as ongage:
        with pytest.raises(kind) as caught:
            await ongage.with_options(timeout_s=patience_s).lists.page()
        assert caught.value.outcome is Outcome.UNKNOWN
        assert caught.value.operation == "lists.page"
        assert (await ongage.lists.page()).total == 1


@pytest.mark.parametrize("broken", ["drop", "half body", "late"])
async def test_a_read_that_broke_is_made_again(emulator: Emulator, broken: str):
    emulator.faults.add("lists.page", BROKEN[broken][0], times=1)
    async with client_of(emulator, ssl_context=TRUST, retry=SOON, timeout_s=0.5) as ongage:
        assert (await ongage.lists.page()).total == 1


async def test_an_answer_that_drips_in_time_is_read_whole(emulator: Emulator):
    emulator.faults.add("lists.page", Fault.drip(0.001, 200), times=1)
    async with client_of(emulator, ssl_context=TRUST, retry=ONCE) as ongage:
        assert (await ongage.lists.page()).total == 1


async def test_a_server_that_speaks_no_http_is_a_lost_connection():
    with RawServer(lambda _: b"SSH-2.0-OpenSSH_9.9\r\n\r\n") as server:
        async with client_at(server.url) as ongage:
            with pytest.raises(ConnectionLostError):
                await ongage.lists.page()


async def test_nobody_at_the_other_end_is_a_connect_error_that_names_the_route_only():
    async with client_at("http://127.0.0.1:9") as ongage:
        with pytest.raises(ConnectError) as caught:
            await ongage.contacts.get_by_email("john@doe.com")
    assert "/api/contacts/by_email/{email}" in str(caught.value)
    assert caught.value.outcome is Outcome.NOT_SENT


def test_an_emulator_that_stops_closes_even_connections_that_it_is_just_accepting():
    for _ in range(5):
        emulator = Emulator()
        port = int(emulator.start().rpartition(":")[2])
        clients: list[socket.socket] = []

        def storm(port: int = port, clients: list[socket.socket] = clients) -> None:
            with contextlib.suppress(OSError):
                clients.extend(socket.create_connection(("127.0.0.1", port)) for _ in range(20))

        thread = threading.Thread(target=storm)
        thread.start()
        emulator.stop()
        thread.join()
        for client in clients:
            client.close()
        gc.collect()  # a socket that was lost warns now, and warnings are errors
