"""The file drop under attack: in process on both loops, and over real sockets."""

import logging
import socket
import sys
import threading
import time
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from ongage_async.bulk import FileDrop
from ongage_async.errors import ConfigurationError, StagingError

pytestmark = pytest.mark.anyio
CONTENT = b"email\r\n" + b"john@doe.com\r\n" * 60_000
NAME = "f" * 48 + ".csv"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "clean.csv"
    path.write_bytes(CONTENT)
    return path


@asynccontextmanager
async def client_of(drop, address="10.1.2.3"):
    transport = httpx.ASGITransport(app=drop.app, client=(address, 1234), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport) as client:
        yield client


async def test_a_staged_file_is_fetched_at_its_random_address_and_the_log_tells(file):
    drop = FileDrop("https://files.example/drop")
    staged = await drop.put(file, NAME)
    assert staged.url.startswith("https://files.example/drop/")
    assert len(urlsplit(staged.url).path.split("/")[-2]) >= 43
    assert staged.url not in repr(staged)
    async with client_of(drop) as client:
        got = await client.get(staged.url)
    assert (got.status_code, got.content) == (200, CONTENT)
    assert got.headers["content-length"] == str(len(CONTENT))
    assert got.headers["cache-control"] == "no-store"
    (fetch,) = await drop.log(staged)
    assert (fetch.client, fetch.method, fetch.status) == ("10.1.2.3", "GET", 200)
    assert (fetch.sent_bytes, fetch.complete, fetch.at.tzinfo is not None) == (len(CONTENT), True, True)


async def test_head_tells_the_size_and_sends_nothing(file):
    drop = FileDrop("https://files.example")
    staged = await drop.put(file, NAME)
    async with client_of(drop) as client:
        got = await client.head(staged.url)
    assert (got.status_code, got.headers["content-length"], got.content) == (200, str(len(CONTENT)), b"")
    (fetch,) = await drop.log(staged)
    assert (fetch.method, fetch.sent_bytes) == ("HEAD", 0)


SIZE = len(CONTENT)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=5-", (5, SIZE)),
        ("bytes=-7", (SIZE - 7, SIZE)),
        (f"bytes=-{SIZE * 2}", (0, SIZE)),
        (f"bytes=10-{SIZE * 2}", (10, SIZE)),
        ("Bytes = 1-1", (1, 2)),
    ],
)
async def test_a_single_range_is_answered_with_that_part(file, asked, part):
    drop = FileDrop("https://files.example")
    staged = await drop.put(file, NAME)
    async with client_of(drop) as client:
        got = await client.get(staged.url, headers={"range": asked})
    first, stop = part
    assert got.content == CONTENT[first:stop]
    if part != (0, SIZE):
        assert (got.status_code, got.headers["content-range"]) == (206, f"bytes {first}-{stop - 1}/{SIZE}")


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0", f"bytes={SIZE + 5}-{SIZE + 9}"])
async def test_a_range_outside_the_file_is_refused_with_its_size(file, asked):
    drop = FileDrop("https://files.example")
    staged = await drop.put(file, NAME)
    async with client_of(drop) as client:
        got = await client.get(staged.url, headers={"range": asked})
    assert (got.status_code, got.headers["content-range"], got.content) == (416, f"bytes */{SIZE}", b"")
    assert (await drop.log(staged))[0].complete is False


@pytest.mark.parametrize(
    "headers",
    [
        {"range": "bytes=0-1,5-6"},
        {"range": "lines=0-1"},
        {"range": "bytes=9-3"},
        {"range": "bytes=-"},
        {"range": "bytes=" + "9" * 400 + "-"},
        {"range": "bytes=0-1", "if-range": '"tag"'},
    ],
)
async def test_ranges_that_may_be_ignored_get_the_whole_file(file, headers):
    drop = FileDrop("https://files.example")
    staged = await drop.put(file, NAME)
    async with client_of(drop) as client:
        got = await client.get(staged.url, headers=headers)
    assert (got.status_code, got.content) == (200, CONTENT)


async def answers(drop, urls, method="GET", address="10.1.2.3"):
    async with client_of(drop, address) as client:
        got = [await client.request(method, url) for url in urls]
    return {(one.status_code, one.content, tuple(sorted(one.headers.items()))) for one in got}


async def test_whatever_is_not_an_open_path_gets_one_and_the_same_404(file, tmp_path):
    drop = FileDrop("https://files.example", allow=("10.0.0.0/8",))
    staged, gone = await drop.put(file, NAME), await drop.put(file, "gone.csv")
    await drop.remove(gone)
    base, token = "https://files.example", urlsplit(staged.url).path.split("/")[1]
    (tmp_path / "secret.csv").write_text("x")
    guessed = [
        gone.url,
        f"{base}/",
        f"{base}/{token}",
        f"{base}/{token}/",
        f"{base}/{NAME}",
        f"{base}/{token}/{NAME}/",
        f"{base}/{token}x/{NAME}",
        f"{base}/{token.swapcase()}/{NAME}",
        f"{base}/{token}/../{token}/secret.csv",
        f"{base}/{token}/..%2f..%2fsecret.csv",
        f"{base}/{token}/%2e%2e/secret.csv",
        f"{base}//{tmp_path}/secret.csv",
        f"{base}/{token}%00/{NAME}",
        f"{base}/{token}/{NAME}%00",
        f"{base}/%ed%a0%80/{NAME}",
    ]
    seen = await answers(drop, guessed)
    seen |= await answers(drop, [staged.url], address="192.0.2.1")
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
        seen |= await answers(drop, [staged.url], method)
    assert len(seen) == 1
    assert next(iter(seen))[:2] == (404, b"Not Found")


async def test_a_client_outside_the_allow_list_with_the_right_path_is_in_the_log(file):
    drop = FileDrop("https://files.example", allow=("10.0.0.0/8", "2001:db8::/32"))
    staged = await drop.put(file, NAME)
    for address in ("192.0.2.1", "::ffff:192.0.2.1", "", "unix"):
        await answers(drop, [staged.url], address=address)
    for address in ("10.9.9.9", "::ffff:10.9.9.9", "2001:db8::7%eth0"):
        await answers(drop, [staged.url], address=address)
    assert [fetch.status for fetch in await drop.log(staged)] == [404] * 4 + [200] * 3


async def test_the_log_is_kept_after_removal_and_bounded(file, monkeypatch):
    monkeypatch.setattr("ongage_async.bulk.stages._filedrop.LOGGED_FETCHES", 3)
    drop = FileDrop("https://files.example")
    staged = await drop.put(file, NAME)
    await answers(drop, [staged.url] * 5, "HEAD")
    await drop.remove(staged)
    await drop.remove(staged)
    await answers(drop, [staged.url])
    assert [fetch.status for fetch in await drop.log(staged)] == [200] * 3


async def test_it_is_mounted_below_another_apps_path(file):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    drop = FileDrop("https://files.example/a/b")
    staged = await drop.put(file, NAME)
    transport = httpx.ASGITransport(app=Starlette(routes=[Mount("/a/b", app=drop.app)]))
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.get(staged.url)).content == CONTENT
        assert (await client.get(staged.url.replace(NAME, "x"))).status_code == 404


async def test_a_file_that_is_gone_or_a_name_that_was_used_is_not_staged(file, tmp_path):
    drop = FileDrop("https://files.example")
    with pytest.raises(StagingError, match="cannot be served"):
        await drop.put(tmp_path / "gone.csv", "gone.csv")
    await drop.put(file, NAME)
    with pytest.raises(StagingError, match="names are used once"):
        await drop.put(file, NAME)


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("http://files.example", None),
        ("ftp://files.example", None),
        ("files.example", None),
        ("https://files.example", ()),
        ("https://files.example", ("ten",)),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(url, allow):
    with pytest.raises(ConfigurationError):
        FileDrop(url, allow=allow)


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "http://localhost", "http://[::1]:9"])
def test_plain_http_is_for_this_machine_or_on_purpose(url):
    FileDrop(url)
    FileDrop("http://files.example", insecure=True)


async def get(url, **options):
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url, **options)


async def test_it_serves_over_real_sockets_and_is_gone_afterwards(file, caplog):
    caplog.set_level(logging.DEBUG, logger="uvicorn")
    async with FileDrop.serve(allow=("127.0.0.0/8",)) as drop:
        staged = await drop.put(file, NAME)
        assert (await get(staged.url)).content == CONTENT
        assert (await get(staged.url + "x")).status_code == 404
        await drop.remove(staged)
        assert (await get(staged.url)).status_code == 404
        (fetch,) = await drop.log(staged)
        assert (fetch.client, fetch.sent_bytes, fetch.complete) == ("127.0.0.1", len(CONTENT), True)
    with pytest.raises(httpx.ConnectError):
        await get(staged.url)
    assert not [thread for thread in threading.enumerate() if thread.name == "ongage-file-drop"]
    assert urlsplit(staged.url).path not in caplog.text


async def test_who_says_to_be_somebody_else_is_believed_from_a_named_proxy_only(file):
    spoof = {"x-forwarded-for": "10.0.0.1"}
    async with FileDrop.serve(allow=("10.0.0.0/8",)) as drop:
        assert (await get((await drop.put(file, NAME)).url, headers=spoof)).status_code == 404
    async with FileDrop.serve(allow=("10.0.0.0/8",), proxies=("127.0.0.1",)) as drop:
        assert (await get((await drop.put(file, NAME)).url, headers=spoof)).status_code == 200


async def test_raw_paths_over_a_socket_find_nothing_else(file):
    """An HTTP client tidies paths up before it sends them; an attacker's does not."""
    async with FileDrop.serve() as drop:
        staged = await drop.put(file, NAME)
        port = urlsplit(staged.url).port
        for target in ("/../../../etc/passwd", "//etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "*", "http://x/y/z"):
            raw = await anyio.to_thread.run_sync(
                exchange, port, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            assert raw.startswith(b"HTTP/1.1 404"), target


def exchange(port, request):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request.encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


@pytest.fixture
def large_file(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("wb") as out:
        out.truncate(64 << 20)
    return path


@asynccontextmanager
async def reading(url):
    """Ask for a file over a bare socket, take its first bytes and stay there."""
    parts = urlsplit(url)
    async with await anyio.connect_tcp("127.0.0.1", parts.port) as connection:
        await connection.send(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert (await connection.receive()).startswith(b"HTTP/1.1 200")
        yield BufferedByteReceiveStream(connection)


async def test_a_client_that_leaves_in_the_middle_did_not_fetch_it_all(large_file):
    async with FileDrop.serve() as drop:
        staged = await drop.put(large_file, NAME)
        async with reading(staged.url):
            pass
        fetch = await first_fetch(drop, staged)
    assert (fetch.complete, fetch.sent_bytes < large_file.stat().st_size) == (False, True)


async def test_removing_the_file_cuts_off_a_reader_who_dawdles(large_file):
    """Whoever has the path cannot keep it open by reading slowly."""
    async with FileDrop.serve() as drop:
        staged = await drop.put(large_file, NAME)
        async with reading(staged.url) as connection:
            await drop.remove(staged)
            assert not (await first_fetch(drop, staged)).complete
            with pytest.raises((anyio.IncompleteRead, anyio.BrokenResourceError)):
                await connection.receive_exactly(large_file.stat().st_size)


async def first_fetch(drop, staged):
    with anyio.fail_after(10):
        while not (fetches := await drop.log(staged)):  # noqa: ASYNC110
            await anyio.sleep(0.01)
    return fetches[0]


async def test_leaving_the_block_does_not_wait_for_a_reader_who_dawdles(large_file):
    async with AsyncExitStack() as stack:
        async with FileDrop.serve() as drop:
            staged = await drop.put(large_file, NAME)
            await stack.enter_async_context(reading(staged.url))
            begin = time.monotonic()
        assert time.monotonic() - begin < 5


async def test_removing_the_file_ends_a_download_that_is_stuck(large_file):
    """The client takes nothing any more, so that no piece comes to an end between which to look."""
    drop = FileDrop("https://files.example")
    staged = await drop.put(large_file, NAME)
    stuck = anyio.Event()

    async def send(message):
        if message["type"] == "http.response.body":
            stuck.set()
            await anyio.sleep_forever()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drop.app, scope_of(staged), anyio.sleep_forever, send)
            await stuck.wait()
            await drop.remove(staged)
    assert [(fetch.sent_bytes, fetch.complete) for fetch in await drop.log(staged)] == [(0, False)]


def scope_of(staged):
    return {"type": "http", "method": "GET", "path": urlsplit(staged.url).path, "headers": [], "client": None}


async def test_a_large_file_is_served_in_little_memory(large_file):
    drop = FileDrop("https://files.example")
    staged = await drop.put(large_file, NAME)
    largest = 0

    async def send(message):
        nonlocal largest
        largest = max(largest, len(message.get("body", b"")))

    await drop.app(scope_of(staged), anyio.sleep_forever, send)
    assert largest == 256 * 1024
    assert (await drop.log(staged))[0].complete


async def test_a_cancelled_block_leaves_no_thread(file):
    with anyio.CancelScope() as scope:
        async with FileDrop.serve() as drop:
            await drop.put(file, NAME)
            scope.cancel()
            await anyio.sleep_forever()
    assert not [thread for thread in threading.enumerate() if thread.name == "ongage-file-drop"]


async def test_a_taken_port_and_an_address_of_nobody_are_said(file):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StagingError, match="cannot listen"):
        async with FileDrop.serve(port=taken.getsockname()[1]):
            pass
    with pytest.raises(ConfigurationError, match="public_url="):
        async with FileDrop.serve("0.0.0.0"):
            pass
    with pytest.raises(ConfigurationError, match="plain http"):
        async with FileDrop.serve(public_url="http://files.example"):
            pass


async def test_a_missing_server_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'ongage-async\[drop\]'"):
        async with FileDrop.serve():
            pass


async def test_it_answers_the_other_kinds_of_scopes(file):
    drop, sent = FileDrop("https://files.example"), []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message["type"])

    await drop.app({"type": "lifespan"}, receive, send)
    await drop.app({"type": "websocket", "path": "/"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]
