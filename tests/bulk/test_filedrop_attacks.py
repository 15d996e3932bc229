"""The file drop against clients that do not play by the rules: raw sockets, forged headers, crowds, races."""

import socket
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async.bulk import FileDrop, StagedFile
from ongage_async.bulk.stages._filedrop import _asked_part
from ongage_async.errors import StagingError

pytestmark = pytest.mark.anyio
CONTENT = b"email\r\n" + b"john@doe.com\r\n" * 60_000
NAME = "f" * 48 + ".csv"
SILENCE_S = 1.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "part-0001.csv"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
async def served(anyio_backend: Any) -> AsyncGenerator[FileDrop]:
    async with FileDrop.serve() as drop:
        yield drop


def exchange(port: int, request: bytes) -> bytes:
    """Return all that is answered until the server closes, or keeps still for a while."""
    answer = b""
    connecting = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_S)
    with connecting as connection, suppress(TimeoutError, ConnectionError):  # it may close before it has read all
        connection.sendall(request)
        while piece := connection.recv(65536):
            answer += piece
    return answer


async def raw(staged: StagedFile, request: str, *, last: bool = True) -> bytes:
    parts = urlsplit(staged.url)
    text = request.replace("{path}", parts.path).replace("{token}", parts.path.split("/")[1])
    if last:
        text = text.replace("\n\n", "\nConnection: close\n\n", 1)
    return await anyio.to_thread.run_sync(exchange, parts.port, text.replace("\n", "\r\n").encode("latin-1"))


IMPROPER = [
    "get {path} HTTP/1.1\nHost: x\n\n",
    "GETX {path} HTTP/1.1\nHost: x\n\n",
    "OPTIONS {path} HTTP/1.1\nHost: x\n\n",
    "TRACE {path} HTTP/1.1\nHost: x\n\n",
    "CONNECT {path} HTTP/1.1\nHost: x\n\n",
    "POST {path} HTTP/1.1\nHost: x\nContent-Length: 3\nX-HTTP-Method-Override: GET\n\nabc",
    "DELETE {path}?_method=GET HTTP/1.1\nHost: x\n\n",
    "GET {path}/ HTTP/1.1\nHost: x\n\n",
    "GET {path}/. HTTP/1.1\nHost: x\n\n",
    "GET {path};x HTTP/1.1\nHost: x\n\n",
    "GET {path}%20 HTTP/1.1\nHost: x\n\n",
    "GET {path}%00 HTTP/1.1\nHost: x\n\n",
    "GET {path}.gz HTTP/1.1\nHost: x\n\n",
    "GET /{token}/../../../../etc/passwd HTTP/1.1\nHost: x\n\n",
    "GET /{token}/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\nHost: x\n\n",
    "GET /{token}/%252e%252e%252fpart-0001.csv HTTP/1.1\nHost: x\n\n",
    "GET /{token}/..%5c..%5cpart-0001.csv HTTP/1.1\nHost: x\n\n",
    "GET /{token}/%c0%ae%c0%ae/part-0001.csv HTTP/1.1\nHost: x\n\n",
    "GET /{token}/part-0001.csv HTTP/1.1\nHost: x\n\n",
    "GET /{token}/* HTTP/1.1\nHost: x\n\n",
    "GET * HTTP/1.1\nHost: x\n\n",
    "GET {path} HTTP/1.1\nHost: x\nTransfer-Encoding: chunked, identity\n\n0\n\n",
    "GET {path} HTTP/1.1\nHost: x\nContent-Length: -1\n\n",
    "GET {path} HTTP/1.1\nHost: x\nContent-Length: 1\nContent-Length: 2\n\nab",
    "GET {path} HTTP/1.1\nHost: x\nBad Header: y\n\n",
    "GET {path} HTTP/1.1\n\n",
    "GET {path} HTTP/1.1\nHost: x\nX-Long: " + "y" * 200_000 + "\n\n",
    "GET " + "/y" * 100_000 + " HTTP/1.1\nHost: x\n\n",
    "{path}\n\n",
    "\0\0\0\0\n\n",
]


async def test_what_is_not_a_proper_question_for_the_file_gets_nothing_of_it(served: FileDrop, file: Path):
    staged = await served.put(file, NAME)
    for question in IMPROPER:
        answer = await raw(staged, question)
        assert answer[:12] in (b"", b"HTTP/1.1 404", b"HTTP/1.1 400", b"HTTP/1.1 431"), (question[:80], answer[:80])
        assert b"john@doe.com" not in answer, question
        assert b"Traceback" not in answer, question
    async with httpx.AsyncClient(trust_env=False) as honest:
        assert (await honest.get(staged.url)).content == CONTENT


async def test_a_second_request_that_hides_in_the_body_of_a_first_one_is_not_answered(served: FileDrop, file: Path):
    staged = await served.put(file, NAME)
    hidden = "GET {path} HTTP/1.1\nHost: x\n\n"
    size = len(hidden.replace("{path}", urlsplit(staged.url).path).replace("\n", "\r\n"))
    answer = await raw(staged, f"POST / HTTP/1.1\nHost: x\nContent-Length: {size}\n\n{hidden}", last=False)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"john@doe.com" not in answer


FORGED = [
    "X-Forwarded-For: 10.0.0.1",
    "X-Forwarded-For: 10.0.0.1, 10.0.0.2",
    "X-Forwarded-For: 127.0.0.1\nX-Forwarded-For: 10.0.0.1",
    "X-Real-IP: 10.0.0.1",
    "Forwarded: for=10.0.0.1",
    "X-Client-IP: 10.0.0.1\nTrue-Client-IP: 10.0.0.1\nCF-Connecting-IP: 10.0.0.1",
    "Host: 10.0.0.1",
]


@pytest.mark.parametrize("proxies", [(), ("192.0.2.1",)])
async def test_a_forged_sender_is_not_believed_and_the_log_has_the_true_one(file: Path, proxies: tuple[str, ...]):
    async with FileDrop.serve(allow=("10.0.0.0/8",), proxies=proxies) as drop:
        staged = await drop.put(file, NAME)
        for headers in FORGED:
            assert (await raw(staged, f"GET {{path}} HTTP/1.0\n{headers}\n\n")).startswith(b"HTTP/1.1 404"), headers
        seen = [(fetch.client, fetch.status) for fetch in await drop.log(staged) or ()]
        assert seen == [("127.0.0.1", 404)] * len(FORGED)


async def test_behind_a_named_proxy_only_the_address_that_the_proxy_added_counts(file: Path):
    """What stands left of it in the header was written by the client."""
    async with FileDrop.serve(allow=("10.0.0.0/8",), proxies=("127.0.0.1",)) as drop:
        staged = await drop.put(file, NAME)
        for forwarded in ("10.0.0.1, 192.0.2.7", "192.0.2.7", "unknown", "", "10.0.0.1, unknown"):
            await raw(staged, f"GET {{path}} HTTP/1.0\nX-Forwarded-For: {forwarded}\n\n")
        assert {fetch.status for fetch in await drop.log(staged) or ()} == {404}
        answer = await raw(staged, "GET {path} HTTP/1.0\nX-Forwarded-For: 192.0.2.7, 10.0.0.1\n\n")
        assert answer.startswith(b"HTTP/1.1 200")


ODD_RANGES = [
    "bytes=0-9,5-14",
    "bytes=0-,0-,0-,0-",
    "bytes=" + ",".join(f"{first}-" for first in range(1_000)),
    "bytes=--5",
    "bytes=-5-9",
    "bytes=0x0-9",
    "bytes=+0-9",
    "bytes=0-9;x",
    "bytes=٠-٩",
    "bytes=" + "9" * 5_000 + "-" + "9" * 5_000,
    "none",
]


async def test_ranges_that_are_many_overlapping_or_no_numbers_get_the_whole_file_once(served: FileDrop, file: Path):
    staged = await served.put(file, NAME)
    async with httpx.AsyncClient(trust_env=False) as http:
        for asked in ODD_RANGES:
            got = await http.get(staged.url, headers={"range": asked.encode()})
            assert (got.status_code, got.content == CONTENT) == (200, True), asked[:80]


async def test_of_two_range_headers_one_counts(served: FileDrop, file: Path):
    staged = await served.put(file, NAME)
    answer = await raw(staged, "GET {path} HTTP/1.0\nRange: bytes=0-4\nRange: bytes=0-9\n\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (head[:12], body) in {(b"HTTP/1.1 206", CONTENT[:5]), (b"HTTP/1.1 206", CONTENT[:10])}


@given(
    st.text("bytes=-, 0123456789", max_size=30) | st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,20}", fullmatch=True),
    st.integers(0, 99),
)
def test_whatever_range_is_asked_for_lies_within_the_file(asked: str, size: int):
    headers = [(b"range", asked.encode())]
    part = _asked_part({"headers": headers, "method": "GET"}, size)
    assert part is None or (0 <= part.start <= part.stop <= size and part.step == 1)


async def test_a_crowd_fetches_at_the_same_time_and_each_gets_all_of_it(served: FileDrop, file: Path):
    staged = await served.put(file, NAME)
    got: list[bool] = []

    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=40), timeout=30) as http:

        async def fetch() -> None:
            got.append((await http.get(staged.url)).content == CONTENT)

        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(fetch)
    assert got == [True] * 40
    await served.remove(staged)
    fetches = await served.log(staged) or ()
    assert [(fetch.complete, fetch.sent_bytes) for fetch in fetches] == [(True, len(CONTENT))] * 40


async def test_a_name_that_many_stage_at_once_is_staged_once(file: Path):
    drop = FileDrop("https://files.example")
    outcomes: list[str] = []

    async def put() -> None:
        try:
            await drop.put(file, NAME)
        except StagingError:
            outcomes.append("refused")
        else:
            outcomes.append("staged")

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(put)
    assert sorted(outcomes) == ["refused"] * 19 + ["staged"]


async def test_files_come_and_go_under_fire(served: FileDrop, file: Path):
    """Fetchers see the file whole, cut off, or not at all; never another one."""
    odd: list[Any] = []

    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:

        async def shoot(staged: StagedFile) -> None:
            try:
                got = await http.get(staged.url)
            except httpx.RemoteProtocolError:
                return  # cut off
            if (got.status_code, got.content) not in ((200, CONTENT), (404, b"Not Found")):
                odd.append((got.status_code, len(got.content)))

        async def come_and_go(number: int) -> None:
            staged = await served.put(file, f"{number}-{NAME}")
            async with anyio.create_task_group() as shots:
                for _ in range(3):
                    shots.start_soon(shoot, staged)
                await anyio.sleep(0.001 * (number % 5))
                await served.remove(staged)
            assert (await http.get(staged.url)).status_code == 404

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(come_and_go, number)
    assert odd == []


async def test_many_who_never_finish_their_question_do_not_keep_others_from_theirs(served: FileDrop, file: Path):
    staged = await served.put(file, NAME)
    parts = urlsplit(staged.url)
    crowd = [socket.create_connection(("127.0.0.1", parts.port), timeout=5) for _ in range(60)]
    try:
        for one in crowd:
            one.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\nX-Slow: ".encode())
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(staged.url)).content == CONTENT
    finally:
        for one in crowd:
            one.close()


async def test_a_file_that_shrinks_while_it_is_served_is_not_taken_for_whole(served: FileDrop, file: Path):
    """Its length was promised; what is missing is no end."""
    staged = await served.put(file, NAME)
    await anyio.Path(file).write_bytes(CONTENT[:1_000])
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(staged.url)
    await served.remove(staged)
    assert [fetch.complete for fetch in await served.log(staged) or ()] == [False]


async def test_no_thread_outlives_the_drop(file: Path):
    before = set(threading.enumerate())
    async with FileDrop.serve() as drop:
        staged = await drop.put(file, NAME)
        await raw(staged, "GET {path} HTTP/1.0\n\n")
    ours = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("ongage")]
    assert ours == []
