"""The exam that every stage passes, and how a user names one."""

import asyncio
import datetime as dt
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from ongage_async.bulk import FileDrop, HostedFile, StagedFile, UrlStage, open_stage
from ongage_async.bulk.stages._stage import done_or_undone
from ongage_async.errors import ConfigurationError, StagingError
from tests.bulk.s3_server import S3Server
from tests.bulk.stage_exam import PLACES, Place

anyio_test = pytest.mark.anyio
NAME = "0123456789abcdef" * 3 + ".csv"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


@pytest.fixture(params=PLACES)
async def place(request: Any, tmp_path: Path, server: S3Server, anyio_backend: Any) -> AsyncGenerator[Place]:
    async with PLACES[request.param](tmp_path, server) as candidate:
        yield candidate


def file_of(folder: Path, content: bytes, name: str = "part-0001.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


LARGE = b"email\r\n" + b"john@doe.com\r\n" * 900_000


@anyio_test
@pytest.mark.parametrize("content", [b"", b"email\r\n\xc3\xa9\0\r\n", LARGE], ids=["empty", "small", "large"])
async def test_what_is_put_is_fetched_exactly(place: Place, tmp_path: Path, content: bytes):
    staged = await place.stage.put(file_of(tmp_path, content), NAME)
    assert staged.name == NAME
    assert staged.url.partition("?")[0].endswith(f"/{NAME}")
    assert await place.fetch(staged.url) == content
    assert await place.fetch(staged.url) == content


@anyio_test
async def test_what_is_removed_is_not_fetched_any_more_and_removing_twice_is_harmless(place: Place, tmp_path: Path):
    path = file_of(tmp_path, b"email\r\n")
    staged, other = await place.stage.put(path, NAME), await place.stage.put(path, f"other-{NAME}")
    await place.stage.remove(staged)
    await place.stage.remove(staged)
    assert (await place.fetch(staged.url), await place.fetch(other.url)) == (404, b"email\r\n")
    await place.stage.remove(other)
    assert place.content() == []


@anyio_test
async def test_a_file_is_removed_by_its_name_alone_and_one_that_is_unknown_is_harmless(place: Place, tmp_path: Path):
    """After a crash the journal has the names of staged files, and no URL."""
    await place.stage.put(file_of(tmp_path, b"email\r\n"), NAME)
    await place.stage.remove(StagedFile(NAME, ""))
    await place.stage.remove(StagedFile("never-put.csv", ""))
    assert place.content() == []


@anyio_test
async def test_the_log_tells_all_fetches_or_that_it_cannot_know(place: Place, tmp_path: Path):
    staged = await place.stage.put(file_of(tmp_path, b"email\r\n"), NAME)
    before = await place.stage.log(staged)
    await place.fetch(staged.url)
    await place.stage.remove(staged)
    after = await place.stage.log(staged)
    if before is None:
        assert after is None
    else:
        assert (before, [(fetch.status, fetch.complete) for fetch in after or ()]) == ((), [(200, True)])


@anyio_test
async def test_a_renewed_file_is_the_same_one_with_a_url_that_has_its_life_before_it(place: Place, tmp_path: Path):
    staged = await place.stage.put(file_of(tmp_path, b"email\r\n"), NAME)
    renewed = await place.stage.renew(staged)
    assert (renewed.name, await place.fetch(renewed.url)) == (NAME, b"email\r\n")
    if place.expires:
        assert staged.expires_at is not None
        assert renewed.expires_at is not None
        assert dt.datetime.now(dt.UTC) < staged.expires_at < renewed.expires_at
    else:
        assert (renewed, staged.expires_at) == (staged, None)
    await place.stage.remove(renewed)
    assert await place.fetch(staged.url) == 404


@anyio_test
async def test_a_file_that_is_not_there_is_not_staged(place: Place, tmp_path: Path):
    with pytest.raises(StagingError):
        await place.stage.put(tmp_path / "gone.csv", NAME)
    assert place.content() == []


@anyio_test
@pytest.mark.parametrize("delay_s", [0.0, 0.001, 0.01, 0.04])
async def test_a_put_that_is_cancelled_leaves_nothing(place: Place, tmp_path: Path, delay_s: float):
    path = file_of(tmp_path, LARGE)
    staged = None
    with anyio.move_on_after(delay_s):
        staged = await place.stage.put(path, NAME)
    if staged is not None:  # it was faster
        await place.stage.remove(staged)
    assert place.content() == []


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("steps", [1, 3, 10, 200])
def test_a_put_in_a_task_that_asyncio_cancels_leaves_nothing(name: str, steps: int, tmp_path: Path, server: S3Server):
    """Cancellation by asyncio itself, of `wait_for` and the like, goes through anyio's shields."""

    async def cancelled() -> list[str]:
        async with PLACES[name](tmp_path, server) as place:
            task = asyncio.create_task(place.stage.put(file_of(tmp_path, LARGE), NAME))
            for _ in range(steps):
                await asyncio.sleep(0.0002)
            done = task.done() or not task.cancel()
            await asyncio.wait([task])
            if done or not task.cancelled():
                await place.stage.remove(task.result())
            return place.content()

    assert asyncio.run(cancelled()) == []


@anyio_test
async def test_many_files_are_put_at_the_same_time(place: Place, tmp_path: Path):
    fetched: dict[int, bytes | int] = {}

    async def there_and_back(number: int) -> None:
        staged = await place.stage.put(file_of(tmp_path, b"%d" % number, f"{number}.csv"), f"{number}-{NAME}")
        fetched[number] = await place.fetch(staged.url)
        await place.stage.remove(staged)

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(there_and_back, number)
    assert (fetched, place.content()) == ({number: b"%d" % number for number in range(12)}, [])


@anyio_test
async def test_nothing_that_opens_a_file_is_in_a_representation(place: Place, tmp_path: Path):
    staged = await place.stage.put(file_of(tmp_path, b"email\r\n"), NAME)
    shown = f"{place.stage!r} {place.stage} {staged!r} {staged}"
    for secret in (staged.url, *place.secrets, "ignature="):
        assert secret not in shown


# -- work in a thread -------------------------------------------------------------------------------------------------


@anyio_test
async def test_work_that_fails_is_undone_and_its_own_error_is_told():
    undone = []

    def undo() -> None:
        undone.append(1)
        raise OSError("nothing to undo")

    with pytest.raises(KeyError, match="first"):
        await done_or_undone(lambda: {}["first"], undo)
    assert undone == [1]


@anyio_test
async def test_work_that_was_never_begun_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    """All worker threads are taken: what is cancelled in their queue has nothing to undo."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    monkeypatch.setattr(limiter, "total_tokens", 1)
    undone = []
    holder = object()
    await limiter.acquire_on_behalf_of(holder)
    with anyio.fail_after(5), anyio.move_on_after(0.01):
        await done_or_undone(lambda: undone.append("work"), lambda: undone.append("undone"))
    limiter.release_on_behalf_of(holder)
    assert undone == []


# -- how a user names a stage -----------------------------------------------------------------------------------------


def test_a_stage_of_ones_own_is_taken_as_it_is():
    drop = FileDrop("https://app.example/files")
    assert open_stage(drop) is drop


@pytest.mark.parametrize("spelled", ["{path}", "file://{path}", "file://localhost{path}", "FILE://{path}"])
def test_a_directory_is_named_by_its_path_and_its_address(spelled: str, tmp_path: Path):
    stage = open_stage(spelled.format(path=tmp_path), public_url="https://files.example/in")
    assert isinstance(stage, UrlStage)
    assert isinstance(open_stage(tmp_path, public_url="https://files.example/in"), UrlStage)
    assert isinstance(open_stage("https://files.example/in", directory=tmp_path), UrlStage)


@pytest.mark.parametrize(
    ("where", "settings", "words"),
    [
        ("s3:/bucket/prefix", {}, "names no place"),
        ("s3://", {}, "names no place"),
        ("", {}, "names no place"),
        ("s3:bucket", {}, "names no place"),
        ("s4://bucket", {}, 'did you mean "s3://"'),
        ("gcs://bucket", {}, 'did you mean "gs://"'),
        ("azure://container", {}, 'did you mean "az://"'),
        ("htps://files.example", {}, 'did you mean "https://"'),
        ("dropbox://bucket", {}, "there are s3://, gs://, az://"),
        ("s3://bucket/prefix?region=x", {}, "pass settings as arguments"),
        ("s3://key:secret@bucket/prefix", {}, "pass settings as arguments"),
        ("s3://bucket", {"public_url": "https://files.example"}, "public_url= has no effect on s3://"),
        ("s3://bucket", {"life_s": 5}, "life_s=5 is not within 60 and 604800"),
        ("s3://bucket", {"life_s": 8 * 86_400}, "life_s=691200"),
        ("s3://bucket", {"endpoint": "http://minio.example"}, "endpoint is plain http"),
        ("s3://bucket", {"config": {"aws_endpoint_url": "http://minio.example"}}, "endpoint is plain http"),
        ("s3://bucket", {"config": {"acess_key": "x"}}, "'acess_key' is not valid"),
        ("az://container", {"config": {"account_name": "a", "account_key": "!"}}, "Invalid Access Key"),
        ("gs://bucket", {"config": {"service_account": "/no/such/file"}}, "Unable to open service account file"),
        ("https://files.example", {}, "pass directory="),
        ("https://files.example", {"directory": "/no/such/directory"}, "there is no directory"),
        ("http://files.example", {"directory": "."}, "plain http"),
        ("/tmp", {}, "pass public_url="),
        (".", {"public_url": "http://files.example"}, "plain http"),
        (".", {"public_url": "https://files.example", "life_s": 60.0}, "life_s= has no effect on a directory"),
        ("no-such-directory", {"public_url": "https://files.example"}, "there is no directory"),
        ("file://host/directory", {"public_url": "https://files.example"}, "is not on this machine"),
        (HostedFile("https://files.example/x.csv"), {}, "pass it as the source"),
        (FileDrop("https://files.example"), {"life_s": 60.0}, "life_s= has no effect"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_advice(where: Any, settings: dict[str, Any], words: str):
    with pytest.raises(ConfigurationError) as caught:
        open_stage(where, **settings)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "ongage_async.bulk.stages._store", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'ongage-async\[stores\]'"):
        open_stage("s3://bucket/prefix")


@anyio_test
async def test_a_copy_that_a_killed_program_left_half_done_is_removed_with_its_file(tmp_path: Path):
    half = tmp_path / f".{NAME}.part"
    half.write_text("email")
    await UrlStage("https://files.example", tmp_path).remove(StagedFile(NAME, ""))
    assert not half.exists()
