"""Rows from wherever users have them: archives, pipes, many files, mappings, data frames, async iterables."""

import datetime as dt
import enum
import gzip
import io
import os
import sys
import uuid
import zipfile
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import anyio
import polars
import pytest

from ongage_async.bulk._fields import FieldRule
from ongage_async.bulk.check._clean import Cleaner, Recipe
from ongage_async.bulk.sources._contacts import BadRow, ContactTable
from ongage_async.bulk.sources._rows import UnfitError, as_text
from ongage_async.bulk.sources._sources import RowSource, fingerprint, open_source, spool
from ongage_async.errors import ConfigurationError, CSVError, InvalidInputError, StagingError
from ongage_async.models import Contact, NewContact

HEADER, ROWS = ["email", "name"], [["a@b.co", "Zoë"], ["c@d.co", "x"]]
TEXT = "email,name\na@b.co,Zoë\nc@d.co,x\n"
DAY, MOMENT = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 13, 5, 7)  # noqa: DTZ001 - as lists have them


def read(source, rows=2, **options):
    """Return the header and the rows."""
    taken = []
    with closing(open_source(source, **options)) as opened:
        while (chunk := opened.chunk(rows)) is not None:
            taken.extend(chunk.rows)
    opened.close()
    return opened.header, taken


@pytest.fixture
def put(tmp_path):
    """Return a function that writes a file."""

    def putting(data, name="source.csv"):
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return putting


@pytest.fixture
def pipe(monkeypatch):
    """Return a function that makes bytes the standard input."""
    ends = []

    def piping(data):
        read_end, write_end = os.pipe()
        os.write(write_end, data)
        os.close(write_end)
        ends.append(os.fdopen(read_end, "rb"))
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=ends[-1]))

    yield piping
    for end in ends:
        end.close()


def test_a_path_may_be_text(put):
    assert read(str(put(TEXT))) == (HEADER, ROWS)


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress], ids=["plain", "gzip"])
def test_the_standard_input_is_read_and_left_open(pipe, pack):
    pipe(pack(TEXT.encode()))
    assert read("-") == (HEADER, ROWS)
    assert not sys.stdin.buffer.closed


def test_a_zip_archive_in_a_pipe_says_what_to_do(pipe):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("a.csv", TEXT)
    pipe(archive.getvalue())
    with pytest.raises(CSVError, match="save it to a file"):
        open_source("-")


def test_progress_of_an_archive_is_told_in_its_own_bytes(put):
    path = put(gzip.compress(b"email\n" + b"".join(b"u%d@b.co\n" % i for i in range(50_000))))
    source = open_source(path)
    assert source.size_bytes == path.stat().st_size
    while source.chunk(1_000) is not None:
        assert 0 < source.read_bytes <= source.size_bytes
    assert source.read_bytes == source.size_bytes
    source.close()


def test_many_files_are_one_source_whatever_their_dialect_and_order_of_columns(put, tmp_path):
    put(TEXT, "a.csv")
    put("name;email\ny;e@f.co\n", "b.csv")
    put(gzip.compress("email\tname\ng@h.co\tz\n".encode("utf-16")), "c.csv.gz")
    wanted = (HEADER, [*ROWS, ["e@f.co", "y"], ["g@h.co", "z"]])
    assert read(str(tmp_path / "*.csv*")) == wanted
    assert read([tmp_path / "a.csv", str(tmp_path / "b.csv"), tmp_path / "c.csv.gz"]) == wanted


def test_a_file_with_other_columns_is_refused_before_the_first_row(put, tmp_path):
    put(TEXT, "a.csv")
    put("email,shoe\ne@f.co,42\n", "b.csv")
    with pytest.raises(CSVError, match=r"b\.csv has other columns than a\.csv \(the difference: name, shoe\)"):
        open_source(str(tmp_path / "*.csv"))


def test_bad_rows_of_many_files_name_their_file(put, tmp_path):
    put("email,name\na@b.co,x\n\nnobody,y\n", "a.csv")
    put("email,name\n", "b.csv")
    put("name,email\nz,nobody\nw\n", "c.csv")
    cleaner = Cleaner(str(tmp_path / "*.csv"), tmp_path, tmp_path / "side.txt", Recipe(()))
    cleaner.open()
    while cleaner.step():
        pass
    cleaner.close()
    tally = cleaner.tally()
    places = [line.split(",")[0] for line in tally.side_file.read_text("utf-8-sig").splitlines()[1:]]
    assert places == ["a.csv:4", "c.csv:2", "c.csv:3"]
    assert tally.rows_read == 4


def test_an_unreadable_file_among_many_names_its_own_row(put, tmp_path):
    put(TEXT, "a.csv")
    put(b"email,name\ne@f.co,x\n\xff\xfe\n", "b.csv")
    with pytest.raises(CSVError, match=r"b\.csv, row 3") as caught:
        read(str(tmp_path / "*.csv"))
    assert caught.value.row == 3


def test_mappings_may_lack_keys_and_need_no_order():
    rows = [{"email": "a@b.co"}, {"name": "x", "email": "c@d.co"}, {"email": "e@f.co", "age": 7}]
    assert read(iter(rows)) == (
        ["email", "name", "age"],
        [["a@b.co", "", ""], ["c@d.co", "x", ""], ["e@f.co", "", "7"]],
    )


def test_contacts_are_rows():
    contacts = [
        Contact(email="a@b.co", fields={"name": "Zoë"}),
        NewContact("c@d.co", {"name": "x"}),
        {"email": "e@f.co", "fields": {"name": "y"}},
    ]
    assert read(contacts) == (HEADER, [*ROWS, ["e@f.co", "y"]])


def test_a_key_that_comes_late_rejects_its_row_and_loses_nothing():
    rows = [{"email": f"u{number}@b.co"} for number in range(1_001)]
    rows[-1]["late"] = "x"
    source = open_source(rows)
    chunk = source.chunk(2_000)
    assert chunk.rows[-1] == ["u1000@b.co", "x"]
    assert chunk.faults == {1_000: "more values than there are columns"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (Decimal("NaN"), ""),
        (True, "true"),
        (7, "7"),
        (7.0, "7"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e20, "100000000000000000000"),
        (Decimal("1E+3"), "1000"),
        (DAY, "2024-02-29"),
        (MOMENT, "2024-02-29 13:05:07"),
        (dt.time(10), "10:00:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (enum.Enum("Colour", {"RED": "red"}).RED, "red"),
        (enum.StrEnum("Colour", {"RED": "red"}).RED, "red"),
    ],
)
def test_values_become_the_text_that_a_file_would_have(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize("value", [b"x", [1], {}, object(), float("inf"), 1j])
def test_what_no_cell_holds_is_refused(value):
    with pytest.raises(UnfitError):
        as_text(value)


def test_one_strange_value_rejects_one_row(tmp_path):
    rows = [
        {"email": "a@b.co", "name": ["x"]},
        {"email": "c@d.co", "name": "\ud800"},
        {"email": "e@f.co", "name": "n\0"},
        {"email": "g@h.co", "name": "z" * 200_000},
        {"email": "i@j.co", "name": "two\nlines"},
    ]
    cleaner = Cleaner(rows, tmp_path, tmp_path / "side.csv", Recipe((FieldRule("name"),)))
    cleaner.open()
    while cleaner.step():
        pass
    cleaner.close()
    assert dict(cleaner.tally().rejected) == {
        "name: a list: a cell holds one text, number, boolean or date": 1,
        "half of a character (a lone surrogate)": 1,
        "a NUL byte": 1,
        "a cell of more than 131,072 characters": 1,
    }
    assert cleaner.tally().rows_clean == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("n\0", "a NUL byte"),
        ("\ud800", "half of a character (a lone surrogate)"),
        ("z" * 200_000, "a cell of more than 131,072 characters"),
    ],
    ids=["NUL", "surrogate", "large"],
)
def test_each_of_them_is_seen_by_itself(name, reason):
    assert open_source([{"email": "a@b.co", "name": name}]).chunk(1).faults == {0: reason}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("dd/mm/yyyy", "29/02/2024"),
        ("mm-dd-yyyy", "02-29-2024"),
        ("yyyy/mm/dd hh24:mi", "2024/02/29 13:05"),
        ("yyyy-mm-dd HH24:MI:SS", "2024-02-29 13:05:07"),
    ],
)
def test_dates_are_written_as_the_field_wants_them(tmp_path, form, text):
    rows = [{"email": "a@b.co", "day": MOMENT}]
    cleaner = Cleaner(rows, tmp_path, tmp_path / "side.csv", Recipe((FieldRule("day", "date", form),)))
    cleaner.open()
    while cleaner.step():
        pass
    cleaner.close()
    assert cleaner.tally().parts[0].path.read_bytes() == f"email,day\r\na@b.co,{text}\r\n".encode()


def test_no_mapping_at_all_is_an_empty_load():
    assert read([]) == (["email"], [])


def test_an_item_that_is_no_row_is_named():
    with pytest.raises(InvalidInputError, match="row 2 is a tuple"):
        open_source([{"email": "a@b.co"}, ("c@d.co",)])


@pytest.mark.parametrize("source", [7, {"email": "a@b.co"}, b"email", None], ids=["int", "one row", "bytes", "None"])
def test_what_holds_no_rows_is_refused(source):
    with pytest.raises(ConfigurationError, match="no source of rows"):
        open_source(source)


def test_an_error_of_the_iterable_comes_as_it_is(tmp_path):
    """A database that goes away is not a full disk."""

    def rows():
        yield from ({"email": f"u{number}@b.co"} for number in range(2_000))
        raise ConnectionResetError("the database is gone")

    cleaner = Cleaner(rows(), tmp_path, tmp_path / "side.csv", Recipe(()))
    cleaner.open()
    with pytest.raises(ConnectionResetError):
        cleaner.step(lambda: False)
    cleaner.discard()
    assert list(tmp_path.glob("part*")) == []


FRAME = polars.DataFrame(
    {
        "email": ["a@b.co", "a-longer-address-than-fits-into-a-view@b.co"],
        "name": ["Zoë", None],
        "age": [7, None],
        "day": [DAY, None],
        "sum": [1.5, 2.0],
        "kind": polars.Series(["x", "y"], dtype=polars.Categorical),
    }
)
FRAME_ROWS = [
    ["a@b.co", "Zoë", "7", "2024-02-29", "1.5", "x"],
    ["a-longer-address-than-fits-into-a-view@b.co", "", "", "", "2", "y"],
]


class Stream:
    """What gives an Arrow stream, and nothing else."""

    def __init__(self, frame):
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema=None):
        return self._frame.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("source", [FRAME, Stream(FRAME)], ids=["a data frame", "any stream"])
def test_an_arrow_stream_is_read(source):
    assert read(source, rows=1) == (FRAME.columns, FRAME_ROWS)


def test_a_parquet_file_is_read_whatever_its_name(tmp_path):
    FRAME.write_parquet(tmp_path / "contacts")
    assert read(tmp_path / "contacts") == (FRAME.columns, FRAME_ROWS)


def test_many_parquet_files_are_one_source(tmp_path):
    FRAME.write_parquet(tmp_path / "a.parquet")
    FRAME.reverse().write_parquet(tmp_path / "b.parquet")
    assert read(str(tmp_path / "*.parquet"))[1] == [*FRAME_ROWS, *reversed(FRAME_ROWS)]


def test_a_large_frame_comes_in_slices():
    frame = polars.DataFrame({"email": [f"u{number}@b.co" for number in range(5_000)]})
    source = open_source(frame)
    assert [len(source.chunk(3_000).rows) for _ in range(2)] == [3_000, 2_000]


def test_a_stream_that_is_no_table_is_an_error():
    with pytest.raises(CSVError, match="cannot be read as Arrow"):
        read(Stream(polars.Series([1, 2])))


@pytest.mark.parametrize(("module", "extra"), [("arro3.core", "arrow"), ("arro3.io", "parquet")])
def test_without_its_library_an_extra_is_named(monkeypatch, tmp_path, module, extra):
    FRAME.write_parquet(tmp_path / "contacts.parquet")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=rf"ongage-async\[{extra}\]"):
        open_source(FRAME if extra == "arrow" else tmp_path / "contacts.parquet")


VALUES = [
    {"email": "a@b.co", "day": DAY, "at": MOMENT, "sum": Decimal("1.50")},
    {"email": "c@d.co", "odd": "\ud800", "none": None},
]
VALUES_HEADER = ["email", "day", "at", "sum", "odd", "none"]
VALUES_ROWS = [["a@b.co", "2024-02-29", "2024-02-29 13:05:07", "1.50", "", ""], ["c@d.co", "", "", "", "\ud800", ""]]


async def several(items):
    for item in items:
        await anyio.lowlevel.checkpoint()
        yield item


@pytest.mark.anyio
async def test_an_async_iterable_is_kept_and_read_as_often_as_wanted(tmp_path):
    path = await spool(several(VALUES), tmp_path)
    assert read(path) == read(path) == (VALUES_HEADER, VALUES_ROWS)
    assert path.stat().st_mode & 0o777 == 0o600
    assert fingerprint(path)


@pytest.mark.anyio
@pytest.mark.parametrize("make", [list, iter], ids=["a list", "an iterator"])
async def test_mappings_are_kept_too(tmp_path, make):
    assert read(await spool(make(VALUES), tmp_path)) == (VALUES_HEADER, VALUES_ROWS)


@pytest.mark.anyio
async def test_a_frame_is_kept(tmp_path):
    assert read(await spool(FRAME, tmp_path)) == (FRAME.columns, FRAME_ROWS)


@pytest.mark.anyio
async def test_the_standard_input_is_kept(tmp_path, pipe):
    pipe(gzip.compress(TEXT.encode()))
    assert read(await spool("-", tmp_path)) == (HEADER, ROWS)


@pytest.mark.anyio
async def test_files_are_not_copied(put, tmp_path):
    path = put(TEXT)
    assert await spool(path, tmp_path / "nowhere") is path


@pytest.mark.anyio
async def test_a_value_that_no_cell_holds_is_kept_as_such(tmp_path):
    source = open_source(await spool([{"email": "a@b.co", "x": [1]}], tmp_path))
    chunk = source.chunk(10)
    source.close()
    assert (chunk.rows, chunk.faults) == (
        [["a@b.co", "[1]"]],
        {0: "x: a list: a cell holds one text, number, boolean or date"},
    )


@pytest.mark.anyio
async def test_an_iterable_that_fails_leaves_no_file(tmp_path):
    async def failing():
        yield {"email": "a@b.co"}
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await spool(failing(), tmp_path)
    assert list(tmp_path.glob("*.spool")) == []


@pytest.mark.anyio
async def test_a_full_disk_is_an_error_of_ours(tmp_path):
    with pytest.raises(StagingError, match="No such file"):
        await spool(several(VALUES), tmp_path / "nowhere")


@pytest.mark.anyio
async def test_kept_rows_that_were_not_finished_are_not_believed(tmp_path):
    path = await spool(several(VALUES), tmp_path)
    path.write_bytes(b"ongage rows 1 " + b"0" * 20 + b"\n" + path.read_bytes()[35:])
    with pytest.raises(CSVError, match="not complete"):
        open_source(path)


def test_the_fingerprint_tells_files_apart(put, tmp_path):
    path = put(TEXT)
    first = fingerprint(path)
    assert first == fingerprint(str(path)) == fingerprint([path])
    assert first != fingerprint(put(TEXT, "other.csv"))
    assert first != fingerprint(put(TEXT.replace("x", "y")))
    assert fingerprint(str(tmp_path / "*.csv")) not in (first, None)


@pytest.mark.parametrize(
    "source", ["-", [{"email": "a@b.co"}], iter([]), FRAME], ids=["stdin", "rows", "iterator", "frame"]
)
def test_what_cannot_be_read_by_another_process_has_no_fingerprint(source):
    assert fingerprint(source) is None


async def contacts(source, **options):
    """Return the rows of a table as contacts; what is no contact as it was read."""
    table, rows = ContactTable(source, **options), []
    while (lot := await table.take(100, len(rows))) is not None:
        rows += [table.contact(row) or row for row in lot.rows]
    await table.aclose()
    return rows


@pytest.mark.anyio
async def test_the_rows_of_a_file_are_contacts_by_field(put):
    path = put("First;E-Mail;shoe;city;id\n Zoë ; a@b.co ;42; ; 7f \n")
    rows = await contacts(path, mapping={"First": "first_name", "shoe": None})
    assert rows == [NewContact("a@b.co", {"first_name": "Zoë", "city": None}, "7f")]


@pytest.mark.anyio
async def test_rows_that_cannot_be_believed_say_so_and_the_others_are_contacts(put):
    rows = await contacts(put('email,name\na@b.co\n\nc@d.co,x,y\nd@e.co, Dan \n,z\nno one,z\ne@f.co,"open\n'))
    assert [(row.place, row.reason) for row in rows if isinstance(row, BadRow)] == [
        ("2", "too few cells"),
        ("4", "too many cells"),
        ("6", "email: empty"),
        ("7", "email: not an address"),
        ("8", "a quote is never closed"),
    ]
    assert rows[0] == {"email": "a@b.co"}
    assert rows[2] == NewContact("d@e.co", {"name": "Dan"})


@pytest.mark.anyio
async def test_one_bad_row_changes_nothing_about_those_that_are_read_with_it(put):
    """Chunks with and without a fault go different ways, to the same contacts."""
    good = "".join(f"p{number}@b.co, n{number} ,,{number % 2 or ''}\n" for number in range(600))
    alone = await contacts(put(f"email,first_name,city,id\n{good}", "good.csv"))
    beside = await contacts(put(f"email,first_name,city,id\nnobody,x,y,\n{good}no one,,,\n", "mixed.csv"))
    assert alone == [row for row in beside if not isinstance(row, BadRow)]
    assert (len(alone), len(beside)) == (600, 602)


@pytest.mark.anyio
async def test_a_quote_that_is_never_closed_is_told_also_where_all_else_is_well(put):
    rows = await contacts(put('email,name\na@b.co,Ann\nc@d.co,"open\n'))
    assert [type(row) for row in rows] == [NewContact, BadRow]


@pytest.mark.anyio
async def test_a_file_of_addresses_only_gives_contacts_without_fields(put):
    assert await contacts(put("email\na@b.co\nc@d.co\n")) == [NewContact("a@b.co"), NewContact("c@d.co")]


@pytest.mark.anyio
async def test_the_rows_of_a_frame_are_contacts():
    assert (await contacts(FRAME))[1].email == FRAME["email"][1]


def test_an_open_source_is_taken_as_it_is(put):
    source = open_source(put(TEXT))
    assert isinstance(source, RowSource)
    assert open_source(source) is source
    source.close()


def test_paths_that_look_like_patterns_are_paths_if_they_exist(put):
    assert read(put(TEXT, "odd[1].csv")) == (HEADER, ROWS)


def test_a_named_pipe_is_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    os.write(writer, TEXT.encode())
    source = open_source(Path(path))
    os.close(writer)
    assert source.chunk(10).rows == ROWS
    source.close()
