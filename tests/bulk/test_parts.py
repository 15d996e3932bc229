"""Parts: cut by rows or bytes, plain or packed, whole or not there at all."""

import csv
import errno
import io
import itertools
import zipfile

import pytest
import pyzipper
from hypothesis import given
from hypothesis import strategies as st

from ongage_async.bulk._zip import ZipWriter
from ongage_async.bulk.check import _parts
from ongage_async.bulk.check._parts import Block, Packing, PartWriter
from ongage_async.errors import ConfigurationError

HEADER = ["email", "name"]


def rows_of(part):
    data = part.path.read_bytes()
    if part.path.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (name,) = archive.namelist()
            data = archive.read(name)
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def write(directory, blocks, **packing):
    writer = PartWriter(directory, HEADER, Packing(**packing))
    for block in blocks:
        writer.write(block)
    writer.finish()
    return writer.parts


def some(count, start=2):
    return [[f"u{number}@b.co", f"n {number}"] for number in range(start, start + count)], range(start, start + count)


def test_one_part_holds_everything_unless_it_is_told_otherwise(tmp_path):
    rows, numbers = some(5)
    (part,) = write(tmp_path, [Block.of(rows, numbers)])
    assert rows_of(part) == [HEADER, *rows]
    assert (part.number, part.path.name, part.rows, part.first_row, part.last_row) == (1, "part-0001.csv", 5, 2, 6)
    assert part.size_bytes == part.path.stat().st_size


def test_no_rows_make_no_part(tmp_path):
    assert write(tmp_path, []) == []
    assert list(tmp_path.glob("part*")) == []


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "zip"])
def test_parts_of_some_rows_repeat_the_header_and_number_their_rows(tmp_path, packed):
    rows, numbers = some(7)
    parts = write(tmp_path, [Block.of(rows[:4], numbers[:4]), Block.of(rows[4:], numbers[4:])], part_rows=3, zip=packed)
    assert [rows_of(part) for part in parts] == [[HEADER, *rows[:3]], [HEADER, *rows[3:6]], [HEADER, rows[6]]]
    assert [(part.rows, part.first_row, part.last_row) for part in parts] == [(3, 2, 4), (3, 5, 7), (1, 8, 8)]


def test_rows_that_are_missing_in_between_keep_their_numbers(tmp_path):
    rows, _ = some(4)
    parts = write(tmp_path, [Block.of(rows, [2, 5, 9, 11])], part_rows=2)
    assert [(part.first_row, part.last_row) for part in parts] == [(2, 5), (9, 11)]


CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(['"', ",", "\r", "\n", "a\r\nb"])


@given(
    cells=st.lists(CELL, min_size=1, max_size=30),
    cut=st.integers(1, 30),
    part_rows=st.none() | st.integers(1, 8),
    part_bytes=st.none() | st.integers(1, 120),
)
def test_parts_hold_all_rows_in_their_order_and_keep_both_limits(tmp_path_factory, cells, cut, part_rows, part_bytes):
    """A single row may be larger than a part."""
    root = tmp_path_factory.mktemp("parts")
    rows = [[f"u{number}@b.co", cell] for number, cell in enumerate(cells)]
    blocks = [Block.of(rows[at : at + cut], range(at, len(rows))[:cut]) for at in range(0, len(rows), cut)]
    parts = write(root, blocks, part_rows=part_rows, part_bytes=part_bytes)
    assert [row for part in parts for row in rows_of(part)[1:]] == rows
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert sum(part.rows for part in parts) == len(rows)
    for part in parts:
        assert part.rows <= (part_rows or len(rows))
        assert part.rows == 1 or part.size_bytes <= (part_bytes or 10**9)


def test_a_block_reads_back_what_it_was_made_of():
    rows = [["a@b.co", 'x "y", z\r\nw'], ["c@d.co", "\r"]]
    assert Block.of(rows, (2, 3)).rows() == rows
    assert Block.of([[""]], (2,)).rows() == [[""]]


def test_a_part_appears_when_it_is_whole(tmp_path):
    rows, numbers = some(3)
    writer = PartWriter(tmp_path, HEADER, Packing(part_rows=2))
    writer.write(Block.of(rows, numbers))
    assert sorted(path.name for path in tmp_path.glob("part*")) == ["part-0001.csv", "part-0002.csv.partial"]
    writer.finish()
    assert sorted(path.name for path in tmp_path.glob("part*")) == ["part-0001.csv", "part-0002.csv"]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "zip"])
def test_parts_are_for_their_owner_only_and_a_discarded_run_leaves_none(tmp_path, packed):
    rows, numbers = some(3)
    writer = PartWriter(tmp_path, HEADER, Packing(part_rows=2, zip=packed))
    writer.write(Block.of(rows, numbers))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("part*")} == {0o600}
    writer.discard()
    writer.discard()
    assert list(tmp_path.glob("part*")) == []


def test_a_password_encrypts_each_part(tmp_path):
    rows, numbers = some(1)
    (part,) = write(tmp_path, [Block.of(rows, numbers)], zip=True, password="Secret 1")
    with pyzipper.AESZipFile(part.path) as archive:
        archive.setpassword(b"Secret 1")
        assert archive.read("part-0001.csv") == b"email,name\r\nu2@b.co,n 2\r\n"


@pytest.mark.parametrize("failing", [1, 2, 20])
def test_a_full_disk_is_told_although_another_thread_met_it(tmp_path, monkeypatch, failing):
    """Archives are written behind the back of whoever checks the rows."""
    calls = itertools.count(1)

    def full(archive, data):
        if next(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)

    rows, numbers = some(1)
    monkeypatch.setattr(_parts, "PIECE_BYTES", 1)
    writer = PartWriter(tmp_path, HEADER, Packing(zip=True))
    monkeypatch.setattr(ZipWriter, "write", full)
    with pytest.raises(OSError, match="No space left"):  # noqa: PT012 - it may come with any of them
        for _ in range(20):
            writer.write(Block.of(rows, numbers))
        writer.finish()
    writer.discard()
    assert list(tmp_path.glob("part*")) == []


@pytest.mark.parametrize(
    "packing",
    [{"part_rows": 0}, {"part_bytes": -1}, {"password": "x"}, {"zip": True, "password": ""}, {"encryption": "rot13"}],
    ids=str,
)
def test_what_cannot_be_packed_is_a_setting(packing):
    with pytest.raises(ConfigurationError):
        Packing(**packing)


def test_a_packing_keeps_its_password_to_itself():
    assert "Secret" not in repr(Packing(zip=True, password="Secret 1"))
