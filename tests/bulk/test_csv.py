"""Reading CSV files: encodings, delimiters, quotes, and the files that people really have."""

import csv
import io
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async.bulk.sources._csv import CSVSource, find_delimiter, find_encoding
from ongage_async.bulk.sources._streams import ByteStream, open_bytes
from ongage_async.errors import ConfigurationError, CSVError


@pytest.fixture
def read(tmp_path):
    """Return a function that reads bytes as a source, to (header, rows) or the error."""

    def reading(data: bytes, chunk_rows: int = 2, **options):
        path = tmp_path / "source.csv"
        path.write_bytes(data)
        rows = []
        with closing(CSVSource(open_bytes(path), **options)) as source:
            while (chunk := source.chunk(chunk_rows)) is not None:
                rows.extend(chunk.rows)
            return source.header, rows

    return reading


HEADER, ROWS = ["email", "name"], [["a@b.co", "Zoë"], ["c@d.co", "x,y"]]
TEXT = 'email,name\r\na@b.co,Zoë\r\nc@d.co,"x,y"\r\n'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        b"\xff\xfe" + TEXT.encode("utf-16-le"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        b"\xff\xfe\0\0" + TEXT.encode("utf-32-le"),
        TEXT.replace("\r\n", "\n").encode(),
        TEXT.replace("\r\n", "\r").encode(),
        TEXT.strip().encode(),
        ("\n\r\n  \n" + TEXT).encode(),
    ],
    ids=["utf-8", "bom", "utf-16-le", "utf-16-be", "utf-32", "lf", "lone cr", "no last line end", "blank lines first"],
)
def test_one_file_in_many_dresses_reads_the_same(read, data):
    assert read(data) == (HEADER, ROWS)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(read, delimiter):
    data = f'email{delimiter}"a,;|\tb"{delimiter}c\na@b.co{delimiter}1{delimiter}2\n'.encode()
    assert read(data) == (["email", "a,;|\tb", "c"], [["a@b.co", "1", "2"]])


def test_a_given_delimiter_wins(read):
    assert read(b"email;a,b,c\nx@y.co;1\n", delimiter=";") == (["email", "a,b,c"], [["x@y.co", "1"]])


def test_a_header_of_one_column_takes_the_comma():
    assert find_delimiter("email\n") == ","


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "\0", " "])
def test_what_cannot_delimit_is_refused(delimiter):
    with pytest.raises(ConfigurationError, match="delimiter"):
        find_delimiter("email\n", delimiter)


def test_bytes_that_are_not_utf8_name_their_row_and_offset(read):
    data = TEXT.encode() + b'"two\nlines",x\n' + "caf\u00e9,x\n".encode("cp1252")
    where = rf"row 5: this is not UTF-8 \(byte offset {data.index(0xE9)}: byte 0xE9"
    with pytest.raises(CSVError, match=f'{where}.*encoding="cp1252"') as caught:
        read(data)
    assert caught.value.row == 5


def test_the_offset_is_right_far_into_a_file(read):
    data = b"email,name\n" + b"a@b.co,plain\n" * 30_000 + b"caf\xe9@b.co,x\n"
    with pytest.raises(CSVError, match=rf"row 30002: this is not UTF-8 \(byte offset {data.index(0xE9)}:"):
        read(data, chunk_rows=1000)


def test_a_given_encoding_reads_it(read):
    assert read("email,name\na@b.co,Zoë €\n".encode("cp1252"), encoding="cp1252")[1] == [["a@b.co", "Zoë €"]]


def test_a_mark_wins_over_a_given_encoding(read):
    """A side file, UTF-8 with a mark, loads with the arguments of its cp1252 source."""
    assert read(TEXT.encode("utf-8-sig"), encoding="cp1252") == (HEADER, ROWS)


def test_utf16_without_a_mark_is_named(read):
    with pytest.raises(CSVError, match='encoding="utf-16-le"'):
        read(TEXT.encode("utf-16-le"))
    assert read(TEXT.encode("utf-16-le"), encoding="utf-16-le") == (HEADER, ROWS)


@pytest.mark.parametrize("name", ["utf-9", "base64", "", "utf-7"])
def test_an_encoding_that_python_lacks_is_a_setting(name):
    with pytest.raises(ConfigurationError, match="encoding"):
        find_encoding(b"email", name)


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n\r\n \n"], ids=["empty", "only a mark", "blank lines"])
def test_a_file_without_a_header_is_an_error(read, data):
    with pytest.raises(CSVError, match="header"):
        read(data)


def test_a_missing_file_is_an_error_of_ours(tmp_path):
    with pytest.raises(CSVError, match=r"gone\.csv cannot be opened: No such file"):
        open_bytes(tmp_path / "gone.csv")


def test_a_directory_is_an_error_of_ours(tmp_path):
    with pytest.raises(CSVError, match="cannot be opened"):
        open_bytes(tmp_path)


def test_a_header_alone_has_no_rows(read):
    assert read(b"email,name") == (HEADER, [])


def test_a_cell_over_the_limit_names_its_row_and_leaves_the_limit_alone(read):
    limit = csv.field_size_limit()
    with pytest.raises(CSVError, match=r"row 4 .*131,072 characters") as caught:
        read(b"email,name\na@b.co,1\na@b.co,2\na@b.co," + b"x" * 200_000 + b"\n", chunk_rows=100)
    assert (caught.value.row, csv.field_size_limit()) == (4, limit)


def test_a_cell_under_the_limit_is_read(read):
    assert len(read(b"email,name\na@b.co," + b"x" * 131_000 + b"\n")[1][0][1]) == 131_000


def test_an_endless_line_is_refused_before_it_is_read(read):
    with pytest.raises(CSVError, match="longer than 4 Mi"):
        read(b"email,name\n" + b"x" * (6 << 20))


def test_a_quote_that_stays_open_is_told(tmp_path):
    path = tmp_path / "source.csv"
    path.write_bytes(b'email,name\na@b.co,1\nc@d.co,"open\ne@f.co,3\n')
    with closing(CSVSource(open_bytes(path))) as source:
        chunk = source.chunk(100)
        assert chunk is not None
        assert chunk.faults == {1: "a quote is never closed"}
        assert chunk.rows == [["a@b.co", "1"], ["c@d.co", "open\ne@f.co,3\n"]]
        assert source.chunk(100) is None


def test_a_header_whose_quote_stays_open_is_an_error(read):
    with pytest.raises(CSVError, match="quote in the header"):
        read(b'email,"name\na@b.co,1\n')


def test_rows_are_numbered_as_a_spreadsheet_does(tmp_path):
    """Blank lines are rows, a line break in quotes makes none."""
    path = tmp_path / "source.csv"
    path.write_bytes(b'\nemail,name\na@b.co,"x\ny"\n\nc@d.co,z\n')
    with closing(CSVSource(open_bytes(path))) as source:
        chunks = [source.chunk(1) for _ in range(3)]
    assert [(chunk.first_row, chunk.rows, chunk.plain) for chunk in chunks if chunk] == [
        (3, [["a@b.co", "x\ny"]], False),
        (4, [[]], True),
        (5, [["c@d.co", "z"]], True),
    ]


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(
    rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    chunk_rows=st.integers(1, 5),
)
def test_what_a_csv_writer_wrote_is_read(tmp_path_factory, rows, delimiter, encoding, chunk_rows):
    path = tmp_path_factory.mktemp("written") / "source.csv"
    with path.open("w", encoding=encoding, newline="") as text:
        csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows([HEADER, *rows])
    read = []
    with closing(CSVSource(open_bytes(path))) as source:
        while (chunk := source.chunk(chunk_rows)) is not None:
            read.extend(chunk.rows)
    assert (source.header, read) == (HEADER, rows)


class Pieces:
    """A file that gives its bytes in pieces of chosen sizes."""

    def __init__(self, data, sizes):
        self._data, self._sizes = data, sizes

    def read(self, size):
        piece = self._data[: self._sizes[0]]
        self._data, self._sizes = self._data[len(piece) :], [*self._sizes[1:], self._sizes[0]]
        return piece


@given(
    rows=st.lists(st.lists(CELLS | st.just("\r\n"), min_size=2, max_size=2), max_size=6),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    line_end=st.sampled_from(["\r\n", "\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-16-le"]),
)
def test_it_does_not_matter_where_blocks_end(rows, sizes, line_end, encoding):
    """In the middle of a character, of a line's end, of a quoted cell: rows and their numbers are the same."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows([HEADER, *rows])
    data = text.getvalue().encode(encoding)
    stream = ByteStream(
        "pieces", Pieces(data, [max(8, sizes[0]), *sizes]), size_bytes=None, position=int, close=lambda: None
    )
    source = CSVSource(stream, encoding=encoding)
    assert source.header == HEADER
    chunk = source.chunk(100)
    assert (chunk.rows, chunk.first_row) == (rows, 2)
    assert source.chunk(100) is None
