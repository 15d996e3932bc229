"""A file drop of several workers: whichever the vendor reaches serves the file, and nobody else gets anything."""

import logging
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from fastapi import FastAPI

from ongage_async import ConfigurationError, Lane
from ongage_async.bulk import StagedFile
from ongage_async.emulator import Emulator
from ongage_async.integrations.fastapi import Ongage
from ongage_async.integrations.fastapi._drop import LOGS_S, SharedDrop
from tests.integrations.apps import running
from tests.support import client_of

pytestmark = pytest.mark.anyio

NAME = "0f" * 24 + ".csv"
PUBLIC = "https://app.example.com/ongage-files"
CONTENT = b"email\njohn@doe.com\n"


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "part.csv"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "app" / "files"


def worker(folder: Path, **options: Any) -> SharedDrop:
    return SharedDrop(PUBLIC, folder, **options)


def names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def rights(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def ask(drop: SharedDrop, url: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Ask one worker for a URL, as a vendor does."""
    app = FastAPI()
    app.mount("/ongage-files", drop)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as vendor:
        return await vendor.request(method, url, headers=headers)


async def test_every_worker_serves_what_one_has_staged(folder: Path, part: Path):
    loader, other = worker(folder), worker(folder)
    staged = await loader.put(part, NAME)
    for drop in (loader, other, other):
        answer = await ask(drop, staged.url)
        assert (answer.status_code, answer.content) == (200, CONTENT)
    assert (await ask(other, staged.url, range="bytes=0-4")).content == b"email"
    await loader.remove(staged)
    assert [(await ask(drop, staged.url)).status_code for drop in (loader, other)] == [404, 404]
    fetches = await loader.log(staged)
    assert fetches is not None
    assert [(fetch.status, fetch.complete) for fetch in fetches] == [(200, True)] * 3 + [(206, True)]
    assert names(folder, NAME) == []


async def test_the_first_fetches_of_a_file_may_come_at_once(folder: Path, part: Path):
    drop = worker(folder)
    staged = await drop.put(part, NAME)
    answers: list[bytes] = []

    async def fetch() -> None:
        answers.append((await ask(drop, staged.url)).content)

    async with anyio.create_task_group() as vendors:
        for _ in range(5):
            vendors.start_soon(fetch)
    assert answers == [CONTENT] * 5
    assert len(await drop.log(staged) or ()) == 5


async def test_a_name_does_not_open_its_file(folder: Path, part: Path):
    """The name is in reports and at the vendor's; the path's other half is not."""
    drop = worker(folder)
    staged = await drop.put(part, NAME)
    signature = staged.url.split("/")[-2]
    forged = [f"{PUBLIC}/{NAME}", f"{PUBLIC}/{'0' * 64}/{NAME}", f"{PUBLIC}/{signature}/.key", f"{PUBLIC}/{signature}/"]
    more = [f"{PUBLIC}/{signature}/..%2f.key", f"{PUBLIC}/{signature[:-1]}é/{NAME}", f"{PUBLIC}/", f"{PUBLIC}/%ff/%fe"]
    assert [
        (url, answer.status_code) for url in forged + more if (answer := await ask(drop, url)).status_code != 404
    ] == []
    assert signature not in repr(staged)
    assert await drop.log(staged) == ()
    assert (await ask(drop, staged.url, "POST")).status_code == 404


async def test_another_folder_has_another_key(folder: Path, part: Path, tmp_path: Path):
    one, other = await worker(folder).put(part, NAME), await worker(tmp_path / "b").put(part, NAME)
    assert one.url != other.url
    assert (rights(folder / ".key"), rights(folder)) == (0o600, 0o700)


def test_a_key_that_a_power_cut_left_empty_is_refused(folder: Path):
    """Everybody can sign with nothing."""
    folder.mkdir(parents=True)
    (folder / ".key").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="damaged"):
        worker(folder)


async def test_nobody_else_on_the_machine_reads_a_file(folder: Path, part: Path):
    """Also where the folder was made by somebody who gave everybody the right to look into it."""
    await anyio.Path(folder).mkdir(parents=True, mode=0o755)
    drop = worker(folder)
    staged = await drop.put(part, NAME)
    assert rights(folder / NAME) == 0o600
    assert (await ask(drop, staged.url)).content == CONTENT


async def test_only_allowed_networks_fetch(folder: Path, part: Path):
    drop = worker(folder, allow=("203.0.113.0/24",))
    staged = await drop.put(part, NAME)
    assert (await ask(drop, staged.url)).status_code == 404
    fetches = await drop.log(staged)
    assert fetches is not None
    assert [(fetch.client, fetch.status) for fetch in fetches] == [("127.0.0.1", 404)]


async def test_plain_http_to_another_machine_is_refused(folder: Path):
    with pytest.raises(ConfigurationError, match="plain http"):
        SharedDrop("http://app.example.com/files", folder)


async def test_old_logs_go_and_young_ones_stay(folder: Path, part: Path):
    drop = worker(folder)
    for age_s, name in ((LOGS_S + 60, "old"), (60.0, "young")):
        log = folder / f".{name}.csv.fetches"
        log.write_text("")
        os.utime(log, (time.time() - age_s,) * 2)
    await drop.put(part, NAME)
    assert names(folder, ".*.fetches") == [".young.csv.fetches"]


async def test_the_access_log_does_not_hold_the_path_while_the_app_runs(
    ongage_emulator: Emulator, folder: Path, part: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Also where a proxy takes a part of the path away, and of each drop of several."""
    ongage = Ongage(lambda: client_of(ongage_emulator))
    app = FastAPI(lifespan=ongage.lifespan)
    drop = ongage.mount_drop(app, "/ongage-files", public_url="https://example.com/shop/ongage-files", folder=folder)
    ongage.mount_drop(app, "/more", public_url="https://example.com/more", folder=tmp_path / "more")
    path = urlsplit((await drop.put(part, NAME)).url).path.removeprefix("/shop")
    access = logging.getLogger("uvicorn.access")
    before = list(access.filters)
    line = '%s - "%s %s HTTP/%s" %d'
    with caplog.at_level(logging.INFO, "uvicorn.access"):
        async with running(app):
            access.info(line, "127.0.0.1:1", "GET", path, "1.1", 200)
            access.info(line, "127.0.0.1:1", "GET", f"/shop{path}", "1.1", 200)
            access.info(line, "127.0.0.1:1", "GET", "/lists?page=2", "1.1", 200)
            access.info("plain words")
    assert [record.getMessage() for record in caplog.records] == [
        '127.0.0.1:1 - "GET /ongage-files/‹secret› HTTP/1.1" 200',
        '127.0.0.1:1 - "GET /shop/ongage-files/‹secret› HTTP/1.1" 200',
        '127.0.0.1:1 - "GET /lists?page=2 HTTP/1.1" 200',
        "plain words",
    ]
    assert access.filters == before


async def test_a_load_goes_through_the_app(ongage_emulator: Emulator, folder: Path, tmp_path: Path):
    """The vendor fetches from another worker than the one that loads."""
    rows = tmp_path / "contacts.csv"
    rows.write_text("email\njohn@doe.com\nno address\n")
    ongage_emulator.imports.queued_s = ongage_emulator.imports.validating_s = ongage_emulator.imports.stats_s = 0.0
    other = FastAPI()
    other.mount("/ongage-files", worker(folder))
    ongage_emulator.mount_fetch("https://app.example.com", other)
    ongage = Ongage(lambda: client_of(ongage_emulator))
    app = FastAPI(lifespan=ongage.lifespan)
    drop = ongage.mount_drop(app, "/ongage-files", public_url=PUBLIC, folder=folder)
    async with running(app):
        bulk = ongage.client.with_options(lane=Lane.BULK)
        report = await bulk.imports.run(rows, stage=drop, interval_s=0.01)
    assert (report.adds_up, report.rows_sent, report.file_deleted) == (True, 1, True)
    assert [fetch.complete for fetch in report.fetches or ()] == [True]
    assert names(folder, "[!.]*.csv") == []


async def test_a_file_that_is_staged_twice_under_one_name_is_what_came_last(folder: Path, part: Path):
    """Names are random and used once; a worker must not remember the size of a file that is gone."""
    loader, other = worker(folder), worker(folder)
    staged = await loader.put(part, NAME)
    assert (await ask(other, staged.url)).content == CONTENT
    await loader.remove(StagedFile(NAME, ""))
    assert (await ask(other, staged.url)).status_code == 404
