"""Unpacking: what an archive may not do to a disk."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ongage_async import DecodeError
from ongage_async.resources import _unzip
from tests.families_audience.servers import left_in

pytestmark = pytest.mark.anyio


def packed(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return file.getvalue()


async def unpack(folder: Path, archive: bytes, **options: Any) -> tuple[Path, ...]:
    source = folder / "archive.zip"
    source.write_bytes(archive)
    target = folder / "target"
    target.mkdir(exist_ok=True)
    return await anyio.to_thread.run_sync(lambda: _unzip.unpack(source, target, **options))


async def test_files_and_folders_are_unpacked_in_order(tmp_path: Path):
    paths = await unpack(tmp_path, packed(("b/two.csv", b"2"), ("one.csv", b"1"), ("b/", b"")))
    assert [(str(path.relative_to(tmp_path / "target")), path.read_bytes()) for path in paths] == [
        ("b/two.csv", b"2"),
        ("one.csv", b"1"),
    ]


def _link() -> zipfile.ZipInfo:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return link


def _encrypted() -> bytes:
    raw = bytearray(packed(("a.csv", b"x"), method=zipfile.ZIP_STORED))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


def _odd_method() -> bytes:
    raw = bytearray(packed(("a.csv", b"x"), method=zipfile.ZIP_STORED))
    struct.pack_into("<H", raw, 8, 99)
    struct.pack_into("<H", raw, raw.index(b"PK\x01\x02") + 10, 99)
    return bytes(raw)


def _wrong_sum() -> bytes:
    raw = bytearray(packed(("a.csv", b"content"), method=zipfile.ZIP_STORED))
    raw[raw.index(b"content")] ^= 1
    return bytes(raw)


def _null_name() -> bytes:
    return packed(("good.csv", b"x"), ("aXb.csv", b"x")).replace(b"aXb.csv", b"a\x00b.csv")


GOOD = ("good.csv", b"good")
ATTACKS: dict[str, Callable[[], bytes]] = {
    "up": lambda: packed(GOOD, ("../evil.csv", b"x")),
    "far up": lambda: packed(GOOD, ("a/../../evil.csv", b"x")),
    "absolute": lambda: packed(GOOD, ("/tmp/evil.csv", b"x")),
    "backslash": lambda: packed(GOOD, ("..\\evil.csv", b"x")),
    "drive": lambda: packed(GOOD, ("C:evil.csv", b"x")),
    "dot": lambda: packed(GOOD, ("./evil.csv", b"x")),
    "empty part": lambda: packed(GOOD, ("a//evil.csv", b"x")),
    "control character": lambda: packed(GOOD, ("a\nb.csv", b"x")),
    "null": _null_name,
    "long name": lambda: packed(GOOD, ("é" * 200 + ".csv", b"x")),
    "link": lambda: packed(GOOD, (_link(), b"/etc/passwd")),
    "one name in two cases": lambda: packed(GOOD, ("GOOD.csv", b"x")),
    "file as folder": lambda: packed(GOOD, ("good.csv/evil.csv", b"x")),
    "encrypted": _encrypted,
    "unknown method": _odd_method,
    "wrong checksum": _wrong_sum,
    "no archive": lambda: b"PK\x03\x04" + bytes(100),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_an_attack_is_refused_and_nothing_of_it_stays(tmp_path: Path, attack: Callable[[], bytes]):
    with pytest.raises(DecodeError) as caught:
        await unpack(tmp_path, attack())
    assert "evil" not in str(caught.value)
    assert sorted(path.name for path in [*left_in(tmp_path), *left_in(tmp_path / "target")]) == [
        "archive.zip",
        "target",
    ]


@pytest.mark.filterwarnings("ignore:Duplicate name")
async def test_two_members_of_one_name_are_refused(tmp_path: Path):
    with pytest.raises(DecodeError, match="two files of one name"):
        await unpack(tmp_path, packed(GOOD, GOOD))


async def test_a_bomb_is_stopped_by_the_bytes_that_come(tmp_path: Path):
    bomb = packed(("a.csv", bytes(5 * 2**20)), ("b.csv", bytes(5 * 2**20)))
    with pytest.raises(DecodeError, match="far more"):
        await unpack(tmp_path, bomb, most_bytes=8 * 2**20)
    assert left_in(tmp_path / "target") == []
    assert len(await unpack(tmp_path, bomb, most_bytes=10 * 2**20)) == 2


async def test_a_bomb_that_lies_about_its_size_is_stopped_too(tmp_path: Path):
    raw = bytearray(packed(("a.csv", bytes(5 * 2**20))))
    index = raw.index(b"PK\x01\x02")
    struct.pack_into("<I", raw, index + 24, 10)
    struct.pack_into("<I", raw, 22, 10)
    with pytest.raises(DecodeError):
        await unpack(tmp_path, bytes(raw), most_bytes=2**20)
    assert left_in(tmp_path / "target") == []


async def test_what_swells_too_much_is_refused_however_large_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_unzip, "_FREE_BYTES", 2**20)
    with pytest.raises(DecodeError, match="far more"):
        await unpack(tmp_path, packed(("a.csv", bytes(20 * 2**20))))


async def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_unzip, "MOST_FILES", 3)
    with pytest.raises(DecodeError, match="more than 3 files"):
        await unpack(tmp_path, packed(*((f"{number}.csv", b"") for number in range(4))))


async def test_a_caller_who_leaves_stops_the_unpacking(tmp_path: Path):
    archive = packed(*((f"{number}.csv", bytes(2**22)) for number in range(30)))
    with anyio.move_on_after(0.02) as scope:
        await unpack(tmp_path, archive)
    assert scope.cancelled_caught
    assert left_in(tmp_path / "target") == []


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_archive_is_unpacked_or_refused(tmp_path_factory: Any, data: st.DataObject) -> None:
    raw = bytearray(packed(("a/one.csv", b"1" * 50), ("two.csv", b"2" * 50)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("zip")
    try:
        paths = anyio.run(unpack, folder, bytes(raw))
    except DecodeError:
        paths = ()
    made = {path for path in (folder / "target").rglob("*") if path.is_file()}
    assert made == set(paths)
    assert {path.name for path in folder.iterdir()} == {"archive.zip", "target"}
