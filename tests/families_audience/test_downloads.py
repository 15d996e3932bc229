"""Downloads: in flat memory, whole or not there, under everything that goes wrong on the way."""

import errno
import io
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from ongage_async import (
    ApiKey,
    ConnectionLostError,
    DecodeError,
    Governor,
    Limits,
    OngageClient,
    ResponseTimeoutError,
    RetryPolicy,
    ServerError,
)
from ongage_async.errors import InvalidInputError
from ongage_async.resources import _download
from tests.client.conftest import TRUST
from tests.families_audience.servers import HANG_UP, Body, PieceServer, head, left_in

pytestmark = pytest.mark.anyio

SOON = RetryPolicy(ladder_s=(0.01,) * 2, connection_ladder_s=(0.01,) * 2)
CSV = b"email,name\r\n" + b"ann@doe.com,Ann\r\n" * 5000
PIECE = 65536


def client_at(server: PieceServer, **options: Any) -> OngageClient:
    options.setdefault("retry", SOON)
    options.setdefault("governor", Governor(Limits(calls=1000, parallel=10)))
    return OngageClient(ApiKey("a-key"), base_url=server.url, ssl_context=TRUST, **options)


def whole(content: bytes, kind: str = "text/csv") -> Iterator[bytes]:
    yield head(len(content), kind)
    yield from pieces(content)


def half(content: bytes, kind: str = "text/csv") -> Iterator[bytes]:
    yield head(len(content), kind)
    yield content[: len(content) // 2]
    yield HANG_UP


def pieces(content: bytes) -> Iterator[bytes]:
    yield from (content[at : at + PIECE] for at in range(0, len(content), PIECE))


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(f"{name}.csv", content)
    return packed.getvalue()


async def test_a_file_is_written_as_it_comes_and_only_its_owner_can_read_it(tmp_path: Path):
    with PieceServer(body=lambda _: whole(CSV)) as server:
        async with client_at(server) as ongage:
            paths = await ongage.contact_search.download(7, tmp_path / "found.csv", list_id=3)
    assert server.requests[0].startswith(b"GET /3/api/contact_search/7/export HTTP/1.1")
    assert b"accept-encoding: identity" in server.requests[0].lower()
    assert (paths, paths[0].read_bytes()) == ((tmp_path / "found.csv",), CSV)
    assert [path.name for path in left_in(tmp_path)] == ["found.csv"]
    assert paths[0].stat().st_mode & 0o077 == 0


async def test_fifty_megabytes_need_no_memory_to_speak_of(tmp_path: Path):
    size = 50 * 2**20
    piece = bytes(PIECE)

    def huge(_: int) -> Iterator[bytes]:
        yield head(size)
        for _number in range(size // PIECE):
            yield piece

    with PieceServer(body=huge) as server:
        async with client_at(server) as ongage:
            tracemalloc.start()
            try:
                (path,) = await ongage.exports.download(7, tmp_path / "huge.bin")
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert path.stat().st_size == size
    assert peak < 4 * 2**20


async def test_a_slow_disk_slows_the_sender_instead_of_filling_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    size, go_on = 64 * 2**20, threading.Event()
    write = _download._Part._write

    def slow(self: Any, piece: bytes) -> None:
        go_on.wait(10)
        write(self, piece)

    def huge(_: int) -> Iterator[bytes]:
        yield head(size)
        for _number in range(size // PIECE):
            yield bytes(PIECE)

    monkeypatch.setattr(_download._Part, "_write", slow)
    with PieceServer(body=huge) as server:
        async with client_at(server) as ongage, anyio.create_task_group() as tasks:
            tasks.start_soon(ongage.exports.download, 7, tmp_path / "huge.bin")
            sent = -1
            while sent != server.sent_bytes or not sent:
                sent = server.sent_bytes
                await anyio.sleep(0.05)
            assert sent < size / 2  # what the kernel's buffers hold
            assert (await ongage.governor.statistics()).open == 1
            go_on.set()
        assert (tmp_path / "huge.bin").stat().st_size == size
        assert (await ongage.governor.statistics()).open == 0


async def test_a_body_that_breaks_off_is_asked_for_again_from_the_beginning(tmp_path: Path):
    with PieceServer(body=lambda number: half(CSV[::-1]) if number < 3 else whole(CSV)) as server:
        async with client_at(server) as ongage:
            (path,) = await ongage.contact_search.download(7, tmp_path / "found.csv")
    assert (server.asked, path.read_bytes()) == (3, CSV)
    assert left_in(tmp_path) == [path]


async def test_a_body_that_always_breaks_off_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "found.csv"
    path.write_text("of yesterday")
    with PieceServer(body=lambda _: half(CSV)) as server:
        async with client_at(server) as ongage:
            with pytest.raises(ConnectionLostError) as caught:
                await ongage.contact_search.download(7, path)
    assert (server.asked, caught.value.attempts, caught.value.operation) == (3, 3, "contact_search.download")
    assert (path.read_text(), left_in(tmp_path)) == ("of yesterday", [path])


@pytest.mark.parametrize("after", [0, 1, 2, 5])
async def test_a_cancelled_caller_is_free_at_once_and_leaves_nothing_behind(tmp_path: Path, after: int):
    go_on = threading.Event()

    def stalling(_: int) -> Iterator[bytes]:
        yield head(10 * PIECE)
        for _number in range(after):
            yield bytes(PIECE)
        go_on.wait(10)
        for _number in range(10 - after):
            yield bytes(PIECE)

    path = tmp_path / "found.csv"
    path.write_text("of yesterday")
    with PieceServer(body=stalling) as server:
        async with client_at(server) as ongage:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ongage.contact_search.download, 7, path)
                while server.sent_bytes <= after * PIECE:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
                await anyio.sleep(0.02)
                tasks.cancel_scope.cancel()
            assert (path.read_text(), left_in(tmp_path)) == ("of yesterday", [path])
            assert (await ongage.governor.statistics()).open <= 1  # 0 where a piece came since and found nobody
            go_on.set()
        assert ongage._engine._yard.running == 0
        assert left_in(tmp_path) == [path]


async def test_silence_in_the_middle_of_a_body_ends_the_attempt(tmp_path: Path):
    go_on = threading.Event()

    def silent(_: int) -> Iterator[bytes]:
        yield head(len(CSV), "text/csv")
        yield CSV[:10]
        go_on.wait(5)

    with PieceServer(body=silent) as server:
        async with client_at(server, timeout_s=0.3, retry=RetryPolicy.none()) as ongage:
            with pytest.raises(ResponseTimeoutError):
                await ongage.contact_search.download(7, tmp_path / "found.csv")
            go_on.set()
    assert left_in(tmp_path) == []


ODD: dict[str, tuple[Body, type[Exception]]] = {
    "an envelope": (lambda _: whole(b'{"metadata":{"error":false},"payload":{}}', "application/json"), DecodeError),
    "an envelope called a file": (lambda _: whole(b' {"metadata":{"error":false}}'), DecodeError),
    "an error with status 200": (
        lambda _: whole(b'{"metadata":{"error":true},"payload":{"code":503,"message":"later"}}'),
        ServerError,
    ),
    "a page": (lambda _: whole(b"<html>It works!</html>", "text/html"), DecodeError),
    "nothing": (lambda _: whole(b""), DecodeError),
    "half a ZIP": (
        lambda _: iter([head(None), archive(a=CSV)[:200], HANG_UP]),
        DecodeError,
    ),
}


@pytest.mark.parametrize(("body", "error"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("unzip", [False, True])
async def test_what_is_no_file_is_not_kept(tmp_path: Path, body: Body, error: type[Exception], unzip: bool):
    target = tmp_path / "out"
    with PieceServer(body=body) as server:
        async with client_at(server, retry=RetryPolicy.none()) as ongage:
            with pytest.raises(error) as caught:
                await ongage.contact_search.download(7, target, unzip=unzip)
    assert caught.value.operation == "contact_search.download"
    assert left_in(target if unzip else tmp_path) == []


async def test_a_full_disk_is_the_disks_error_and_gives_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write = _download._Part._write

    def full(self: Any, piece: bytes) -> None:
        write(self, piece)
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(_download._Part, "_write", full)
    with PieceServer(body=lambda _: whole(CSV)) as server:
        async with client_at(server) as ongage:
            with pytest.raises(OSError, match="no space left"):
                await ongage.contact_search.download(7, tmp_path / "found.csv")
        assert (await ongage.governor.statistics()).open == 0
    assert (server.asked, left_in(tmp_path)) == (1, [])


Use = Callable[[OngageClient, Path], Any]
WRONG: dict[str, Use] = {
    "a folder as file": lambda ongage, path: ongage.contact_search.download(7, path),
    "a file as folder": lambda ongage, path: ongage.contact_search.download(7, path / "file", unzip=True),
    "no such folder": lambda ongage, path: ongage.contact_search.download(7, path / "no" / "found.csv"),
}


@pytest.mark.parametrize("use", WRONG.values(), ids=WRONG)
async def test_a_target_that_cannot_be_used_costs_no_call(tmp_path: Path, use: Use):
    (tmp_path / "file").write_text("x")
    with PieceServer() as server:
        async with client_at(server) as ongage:
            with pytest.raises(InvalidInputError):
                await use(ongage, tmp_path)
    assert server.asked == 0


async def test_a_zip_is_unpacked_into_a_folder_that_is_made(tmp_path: Path):
    with PieceServer(body=lambda _: whole(archive(one=CSV, two=b"x"))) as server:
        async with client_at(server) as ongage:
            paths = await ongage.exports.download(7, tmp_path / "new" / "folder", unzip=True)
    assert [(path.name, path.read_bytes()) for path in paths] == [("one.csv", CSV), ("two.csv", b"x")]
    assert sorted(left_in(tmp_path / "new" / "folder")) == sorted(paths)


async def test_a_body_that_is_no_zip_stands_in_the_folder_as_it_is(tmp_path: Path):
    with PieceServer(body=lambda _: whole(CSV)) as server:
        async with client_at(server) as ongage:
            paths = await ongage.contact_search.download(7, tmp_path, unzip=True)
    assert [(path.name, path.read_bytes()) for path in paths] == [("contact_search-download-7.csv", CSV)]
    assert left_in(tmp_path) == list(paths)


async def test_a_cancellation_at_any_instant_leaves_the_whole_file_or_none(tmp_path: Path):
    content = archive(one=CSV, two=CSV)
    with PieceServer(body=lambda _: whole(content)) as server:
        async with client_at(server) as ongage:
            for number in range(40):
                folder = tmp_path / f"{number}"
                with anyio.move_on_after(number / 2000):
                    await ongage.contact_search.download(7, folder, unzip=True)
                names = sorted(path.name for path in left_in(folder)) if folder.exists() else []
                assert names in ([], ["one.csv", "two.csv"])
        assert (await ongage.governor.statistics()).open == 0


DOWNLOAD = """
import sys, anyio
from ongage_async import ApiKey, OngageClient

async def main():
    async with OngageClient(ApiKey("a-key"), base_url=sys.argv[1]) as ongage:
        await ongage.contact_search.download(7, sys.argv[2])

anyio.run(main)
"""


def test_a_killed_process_leaves_nothing_under_the_final_name(tmp_path: Path):
    go_on = threading.Event()

    def stalling(_: int) -> Iterator[bytes]:
        yield head(100 * PIECE)
        yield from (bytes(PIECE) for _number in range(50))
        go_on.wait(20)

    path = tmp_path / "found.csv"
    path.write_text("of yesterday")
    with PieceServer(body=stalling) as server:
        process = subprocess.Popen([sys.executable, "-c", DOWNLOAD, server.url, str(path)])
        while not any(each.suffix == ".part" and each.stat().st_size for each in left_in(tmp_path)):
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        process.wait()
        go_on.set()
    assert path.read_text() == "of yesterday"
    (part,) = (each for each in left_in(tmp_path) if each != path)
    assert part.name.startswith(".ongage-")
