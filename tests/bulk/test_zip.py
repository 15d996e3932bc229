"""Archives of one file, read back by other programs than the one that wrote them."""

import csv
import gc
import importlib
import io
import os
import shutil
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pyzipper
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ongage_async.bulk import _zip as zip_module
from ongage_async.bulk._zip import ZipWriter, check_password
from ongage_async.errors import ConfigurationError, StagingError

PASSWORD = "correct horse: battery"
CONTENT = b"email,first_name\r\n" + b"".join(b"john%d@doe.com,J\xc3\xbcrgen\r\n" % number for number in range(20_000))


def by_zipfile(path: Path, password: str | None) -> bytes:
    with zipfile.ZipFile(path) as archive:
        (entry,) = archive.infolist()
        return archive.read(entry, password.encode() if password else None)


def by_pyzipper(path: Path, password: str | None) -> bytes:
    with pyzipper.AESZipFile(path) as archive:
        (entry,) = archive.infolist()
        return bytes(archive.read(entry, password.encode() if password else None))


def by_unzip(path: Path, password: str | None) -> bytes:
    command = ["unzip", "-P", password or "none", "-p", str(path)]
    return subprocess.run(command, capture_output=True, check=True, timeout=30).stdout


def by_libarchive(path: Path, password: str | None) -> bytes:
    libarchive = importlib.import_module("libarchive")
    with libarchive.file_reader(str(path), passphrase=password) as archive:
        (content,) = [b"".join(entry.get_blocks()) for entry in archive]
    return bytes(content)


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_file()]


def has_libarchive() -> bool:
    try:
        importlib.import_module("libarchive")
    except (ImportError, AttributeError, OSError, TypeError):
        return False
    return True


with_unzip = pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not on this machine")
with_libarchive = pytest.mark.skipif(not has_libarchive(), reason="libarchive is not on this machine")
KINDS = [
    pytest.param(None, "aes", id="open"),
    pytest.param(PASSWORD, "aes", id="aes"),
    pytest.param(PASSWORD, "zipcrypto", id="zipcrypto", marks=with_libarchive),
]


@pytest.mark.parametrize(
    ("password", "encryption", "read"),
    [
        pytest.param(None, "aes", by_zipfile, id="open-zipfile"),
        pytest.param(None, "aes", by_pyzipper, id="open-pyzipper"),
        pytest.param(None, "aes", by_unzip, id="open-unzip", marks=with_unzip),
        pytest.param(None, "aes", by_libarchive, id="open-libarchive", marks=with_libarchive),
        pytest.param(PASSWORD, "aes", by_pyzipper, id="aes-pyzipper"),
        pytest.param(PASSWORD, "aes", by_libarchive, id="aes-libarchive", marks=with_libarchive),
        pytest.param(PASSWORD, "zipcrypto", by_zipfile, id="zipcrypto-zipfile", marks=with_libarchive),
        pytest.param(PASSWORD, "zipcrypto", by_unzip, id="zipcrypto-unzip", marks=[with_unzip, with_libarchive]),
    ],
)
def test_others_read_what_was_written(
    password: str | None, encryption: Any, read: Callable[[Path, str | None], bytes], tmp_path: Path
):
    path = tmp_path / "part.zip"
    with ZipWriter(path, "contacts.csv", password, encryption) as archive:
        for start in range(0, len(CONTENT), 7_777):
            archive.write(CONTENT[start : start + 7_777])
    assert read(path, password) == CONTENT
    assert zipfile.ZipFile(path).namelist() == ["contacts.csv"]
    assert path.stat().st_size < len(CONTENT) / 3
    assert path.stat().st_mode & 0o777 == 0o600
    assert left_in(tmp_path) == ["part.zip"]


@pytest.mark.parametrize(("password", "encryption"), KINDS[1:])
def test_a_wrong_password_opens_nothing(password: str, encryption: Any, tmp_path: Path):
    path = tmp_path / "part.zip"
    with ZipWriter(path, "contacts.csv", password, encryption) as archive:
        archive.write(CONTENT)
    assert b"john1@doe.com" not in path.read_bytes()
    with pytest.raises((RuntimeError, pyzipper.BadZipFile), match=r"[Pp]assword|CRC"):
        by_pyzipper(path, "wrong")


@pytest.mark.parametrize(("password", "encryption"), KINDS)
def test_a_block_that_fails_leaves_no_file_and_no_complaint(password: str | None, encryption: Any, tmp_path: Path):
    with suppress(KeyError), ZipWriter(tmp_path / "part.zip", "c.csv", password, encryption) as archive:
        archive.write(CONTENT)
        raise KeyError
    assert left_in(tmp_path) == []
    archive.discard()
    archive.close()
    with pytest.raises(ValueError, match="closed"):
        archive.write(b"more")
    del archive
    gc.collect()  # a warning of something left open would be an error here
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(("password", "encryption"), KINDS)
def test_an_archive_that_is_there_is_not_touched(password: str | None, encryption: Any, tmp_path: Path):
    path = tmp_path / "part.zip"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        ZipWriter(path, "c.csv", password, encryption)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(("password", "encryption"), KINDS)
def test_text_and_csv_are_written_through_it(password: str | None, encryption: Any, tmp_path: Path):
    path = tmp_path / "part.zip"
    with io.TextIOWrapper(ZipWriter(path, "c.csv", password, encryption), "utf-8", newline="") as text:
        csv.writer(text).writerows([["email"], ["jürgen@doe.com"]])
    assert by_pyzipper(path, password) == "email\r\njürgen@doe.com\r\n".encode()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=2_000), max_size=20), encrypted=st.booleans())
def test_any_pieces_come_back_as_one_file(tmp_path: Path, pieces: list[bytes], encrypted: bool):
    path = tmp_path / "part.zip"
    path.unlink(missing_ok=True)
    password = PASSWORD if encrypted else None
    with ZipWriter(path, "c.csv", password) as archive:
        for piece in pieces:
            assert archive.write(piece) == len(piece)
    assert by_pyzipper(path, password) == b"".join(pieces)


def local_header(path: Path) -> tuple[int, int, int]:
    """Return the version that is needed to read it, the size in the header, and the kind of its first extra field."""
    head = path.read_bytes()[:200]
    version, size, name_length = struct.unpack_from("<4xH16xLH", head)
    return version, size, *struct.unpack_from("<H", head, 30 + name_length)


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_small_archive_is_not_zip64_and_a_large_one_is(
    password: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Readers that know ZIP64 are fewer. Two gigabytes are 20 kilobytes here."""
    small, large = tmp_path / "small.zip", tmp_path / "large.zip"
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 20_000)
    monkeypatch.setattr(sys.modules["pyzipper.zipfile"], "ZIP64_LIMIT", 20_000)
    for path, size in ((small, 20_000), (large, 20_001)):
        with ZipWriter(path, "c.csv", password) as archive:
            archive.write(b"x" * size)
        assert by_pyzipper(path, password) == b"x" * size
    assert local_header(small) == (20, 20_000, 0xA220)
    assert local_header(large)[1:] == (0xFFFFFFFF, 0x0001)
    assert small.stat().st_size <= large.stat().st_size


@pytest.mark.parametrize(("password", "encryption"), KINDS)
def test_memory_is_flat(password: str | None, encryption: Any, tmp_path: Path):
    piece = os.urandom(1 << 18)
    with ZipWriter(tmp_path / "part.zip", "c.csv", password, encryption) as archive:
        archive.write(piece)
        tracemalloc.start()
        for _ in range(60):
            archive.write(piece)
        archive.close()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 << 20


def test_the_size_so_far_grows_with_what_is_written(tmp_path: Path):
    with ZipWriter(tmp_path / "part.zip", "c.csv") as archive:
        archive.write(os.urandom(1 << 20))
        assert (1 << 20) * 0.9 < archive.size_bytes < (1 << 20) * 1.1


@pytest.mark.parametrize("password", ["", "tab\t", "ümlaut", "nul\0"])
def test_a_password_that_readers_would_spell_differently_is_refused(password: str, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="printable ASCII") as caught:
        ZipWriter(tmp_path / "part.zip", "c.csv", password)
    assert not password or password not in str(caught.value)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("name", ["", "../c.csv", "a/b.csv", "jürgen.csv"])
def test_a_name_that_is_no_plain_file_name_is_refused(name: str, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        ZipWriter(tmp_path / "part.zip", name)


def test_missing_libraries_are_named_before_a_row_is_read(monkeypatch: pytest.MonkeyPatch):
    check_password(None)
    monkeypatch.setitem(sys.modules, "pyzipper", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'ongage-async\[zip\]'"):
        check_password("x")
    monkeypatch.setitem(sys.modules, "libarchive", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'ongage-async\[zipcrypto\]'"):
        check_password("x", "zipcrypto")
    with pytest.raises(ConfigurationError, match='"aes" or "zipcrypto"'):
        check_password("x", "des")  # type: ignore[arg-type]


def test_a_missing_c_library_is_named(monkeypatch: pytest.MonkeyPatch):
    def ends_without_it(name: str) -> Any:
        raise TypeError("LoadLibrary() argument 1 must be str, not None")

    monkeypatch.setattr(zip_module.importlib, "import_module", ends_without_it)
    with pytest.raises(ConfigurationError, match="brew install libarchive"):
        check_password("x", "zipcrypto")


@with_libarchive
def test_a_disk_that_is_full_at_the_end_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    libarchive = importlib.import_module("libarchive")

    def full(*arguments: Any, **options: Any) -> Any:
        raise libarchive.ArchiveError("Write error", 28, -30, 0)

    monkeypatch.setattr(libarchive, "fd_writer", full)
    with (
        pytest.raises(StagingError, match="could not be written"),
        ZipWriter(tmp_path / "part.zip", "c.csv", PASSWORD, "zipcrypto") as archive,
    ):
        archive.write(CONTENT)
    assert left_in(tmp_path) == []
