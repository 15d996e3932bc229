"""Fakes of what a load works with: imports and fields of a list, and a stage that remembers."""

import csv
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from attrs import define, field, frozen

from ongage_async.bulk import Fetch, StagedFile
from ongage_async.errors import StagingError


@frozen
class FakeField:
    name: str | None
    type: str | None = "string"
    format: str | None = None
    mandatory: bool | None = False
    default: object = None


@frozen
class FakeImport:
    id: int
    name: str | None = None
    file_url: str | None = None
    status: int | None = 40003
    status_desc: str | None = "Completed"
    progress_pct: float | None = 100
    total: int | None = 0
    success: int | None = 0
    failed: int | None = 0
    duplicate: int | None = 0
    existing: int | None = 0
    not_existing: int | None = 0
    incomplete: int | None = 0
    invalid: int | None = 0

    @property
    def is_failed(self) -> bool:
        return (self.status or 0) >= 90000

    @property
    def is_final(self) -> bool:
        return self.status == 40003 or self.is_failed


@define
class FakeListFields:
    fields: list[FakeField] = field(
        factory=lambda: [
            FakeField("email", "email", mandatory=True),
            FakeField("first_name"),
            FakeField("age", "numeric"),
            FakeField("birthday", "date", "dd/mm/yyyy"),
        ]
    )

    async def each(self, *, list_id=None):
        for item in self.fields:
            await anyio.lowlevel.checkpoint()
            yield item


@define
class FakeImports:
    """Imports whose creation, listing and end a test decides."""

    create_error: Exception | None = None
    executes: bool = True
    listed_after: int = 0
    list_error: Exception | None = None
    statuses: tuple[int, ...] = (40001, 40010, 40002, 40004, 40003)
    counts: dict[str, int] | None = None
    fetch: Callable | None = None
    hold: anyio.Event | None = None
    created: list[dict] = field(factory=list)
    existing: list[FakeImport] = field(factory=list)
    looks: int = 0
    rows: list[dict] = field(factory=list)

    async def create(self, **request):
        self.created.append(request)
        await anyio.lowlevel.checkpoint()
        name = request["file_url"].rpartition("/")[2]
        if self.executes:
            self.existing.insert(0, FakeImport(1000 + len(self.created), name))
        if self.fetch:
            self.rows = await self.fetch(request["file_url"])
        if self.create_error:
            raise self.create_error
        return self.existing[0]

    async def watch(self, import_id, /, *, interval_s=None, just_created=False, list_id=None):
        counts = self.counts or {"total": len(self.rows), "success": len(self.rows)}
        for status in self.statuses:
            await anyio.lowlevel.checkpoint()
            yield FakeImport(import_id, status=status, status_desc=str(status), **counts)
        if self.hold is not None:
            await self.hold.wait()

    async def each(self, *, sort=None, order=None, list_id=None):
        self.looks += 1
        await anyio.lowlevel.checkpoint()
        if self.list_error:
            raise self.list_error
        for item in self.existing:
            if self.looks > self.listed_after or not item.id > 1000:
                yield item


@define
class FakeStage:
    """A stage in memory: it holds what was put and reads it when the fake imports fetch."""

    open: dict[str, Path] = field(factory=dict)
    put_error: Exception | None = None
    remove_error: Exception | None = None
    fetches: tuple[Fetch, ...] | None = None
    puts: list[str] = field(factory=list)
    place: str = ""

    async def put(self, path, name):
        await anyio.lowlevel.checkpoint()
        if self.put_error:
            raise self.put_error
        self.puts.append(name)
        self.open[name] = path
        return StagedFile(name, f"https://stage.example/{name}")

    async def remove(self, staged):
        await anyio.lowlevel.checkpoint()
        if self.remove_error:
            raise self.remove_error
        self.open.pop(staged.name, None)

    async def log(self, staged):
        return self.fetches

    async def read(self, url):
        return read_csv(self.open[url.rpartition("/")[2]])


def read_csv(path, delimiter=",", encoding="utf-8-sig"):
    with path.open(encoding=encoding, newline="") as text:
        return list(csv.DictReader(text, delimiter=delimiter))


@define
class World:
    """Everything that a load touches."""

    root: Path
    work: Path
    stage: FakeStage
    imports: FakeImports
    list_fields: FakeListFields

    def source(self, text: str | bytes, name: str = "contacts.csv") -> Path:
        path = self.root / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    @property
    def leftovers(self) -> list[str]:
        """Files that a load should have removed."""
        return [str(path) for path in self.work.rglob("*")] + list(self.stage.open)


@pytest.fixture
def world(tmp_path):
    stage = FakeStage()
    work = tmp_path / "work"
    work.mkdir()
    return World(tmp_path, work, stage, FakeImports(fetch=stage.read), FakeListFields())


@pytest.fixture
def rows_of():
    return read_csv


@pytest.fixture
def staging_error():
    return StagingError("the stage is full")


@pytest.fixture
def fake_import():
    return FakeImport


@pytest.fixture
def fake_field():
    return FakeField


@pytest.fixture(autouse=True)
def _no_files_in_the_systems_place(monkeypatch, tmp_path):
    """Send temporary files of loads that name no work_dir into the test's own directory."""
    place = tmp_path / "system"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
