"""Files as they come from the wild: each gives its rows, or an error that says where and what to do.

The files are made by the tables below; what a row expects is either the good rows and the reasons of the bad ones, or
the error's words and its row.
"""

import codecs
import csv
import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from ongage_async.bulk._fields import FieldRule
from ongage_async.bulk._zip import ZipWriter
from ongage_async.bulk.check._clean import Cleaner, Recipe
from ongage_async.errors import CSVError

RULES = (FieldRule("name"), FieldRule("age", "numeric"))
TEXT = "email,name\r\na@b.co,Zoë\r\n"
ZOE, PLAIN = [["a@b.co", "Zoë"]], [["a@b.co", "x"]]


@frozen
class Case:
    """A file and what becomes of it.

    Attributes:
        title: What is nasty about it.
        data: Its bytes, or a function that writes it into a directory and returns its path.
        rows: The good rows without the header.
        bad: Reasons of the rejected rows, in their order.
        error: What the error says; then there are no rows.
        row: The row that it names.
        column: The column that it names.
        options: Of the recipe.
    """

    title: str
    data: bytes | Callable[[Path], Path]
    rows: list[list[str]] = field(factory=list)
    bad: tuple[str, ...] = ()
    error: str = ""
    row: int | None = None
    column: str | None = None
    options: dict[str, Any] = field(factory=dict)


def lines(*rows: str, end: str = "\n") -> bytes:
    return end.join((*rows, "")).encode()


ENCODINGS = (
    Case("UTF-8", TEXT.encode(), ZOE),
    Case("UTF-8 with a mark", TEXT.encode("utf-8-sig"), ZOE),
    Case("UTF-16 with a mark", TEXT.encode("utf-16"), ZOE),
    Case("big-endian UTF-16 with a mark", codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), ZOE),
    Case("UTF-32 with a mark", TEXT.encode("utf-32"), ZOE),
    Case("UTF-16 without a mark", TEXT.encode("utf-16-le"), error='encoding="utf-16-le"'),
    Case("big-endian UTF-16 without a mark", TEXT.encode("utf-16-be"), error='encoding="utf-16-be"'),
    Case("UTF-16 without a mark, named", TEXT.encode("utf-16-be"), ZOE, options={"encoding": "utf-16-be"}),
    Case("cp1252, unnamed", TEXT.encode("cp1252"), error='row 2: .*0xEB.*encoding="cp1252"', row=2),
    Case("cp1252, named", TEXT.encode("cp1252"), ZOE, options={"encoding": "cp1252"}),
    Case("latin-1, named", TEXT.encode("latin-1"), ZOE, options={"encoding": "latin-1"}),
    Case("cp1252 in the header", "email,Prénom\n".encode("cp1252"), error="row 1: this is not UTF-8", row=1),
    Case(
        "a byte that cp1252 lacks",
        b"email\na@b.co\n\x81\n",
        error="row 3: .*0x81",
        row=3,
        options={"encoding": "cp1252"},
    ),
    Case("a mark against the given encoding", TEXT.encode("utf-8-sig"), ZOE, options={"encoding": "cp1252"}),
    Case("cut in the middle of a character", TEXT.encode()[:-3] + b"\xe2\x82", error="row 2: this is not UTF-8", row=2),
    Case(
        "UTF-16 with half a character",
        codecs.BOM_UTF16_LE + "email\na".encode("utf-16-le") + b"\0",
        error="row 2",
        row=2,
    ),
    Case("a surrogate in UTF-8", b"email,name\na@b.co,\xed\xa0\x80\n", error="row 2: this is not UTF-8", row=2),
    Case(
        "Shift-JIS, named",
        "email,name\na@b.co,日本\n".encode("shift-jis"),
        [["a@b.co", "日本"]],
        options={"encoding": "shift-jis"},
    ),
    Case("two marks", codecs.BOM_UTF8 * 2 + TEXT.encode(), error="no email column", row=1, column="email"),
)

LINE_ENDS = (
    Case("LF", lines("email,name", "a@b.co,x"), PLAIN),
    Case("CRLF", lines("email,name", "a@b.co,x", end="\r\n"), PLAIN),
    Case("lone CR", lines("email,name", "a@b.co,x", end="\r"), PLAIN),
    Case("mixed", b"email,name\ra@b.co,x\r\nc@d.co,y\ne@f.co,z\r", [*PLAIN, ["c@d.co", "y"], ["e@f.co", "z"]]),
    Case("no end at the end", b"email,name\na@b.co,x", PLAIN),
    Case("blank lines everywhere", b"\n\r\n  \nemail,name\n\n\na@b.co,x\n\n\n", PLAIN),
    Case(
        "a line separator in a cell",
        "email,name\na@b.co,x\u2028y\x0bz\x85w\n".encode(),
        [["a@b.co", "x\u2028y\x0bz\x85w"]],
    ),
    Case(
        "CR and LF on both sides of a block",
        b"email,name\r\n" + b"a@b.co,x" + b" " * 65_516 + b"\r\nc@d.co,y\r\n",
        [*PLAIN, ["c@d.co", "y"]],
    ),
)

QUOTES = (
    Case("quotes, doubled quotes", b'email,name\n"a@b.co","x ""y"" z"\n', [["a@b.co", 'x "y" z']]),
    Case("a delimiter in quotes", b'email,name\na@b.co,"x, y"\n', [["a@b.co", "x, y"]]),
    Case("a line break in quotes", b'email,name\na@b.co,"x\ny"\n', [["a@b.co", "x\ny"]]),
    Case("a quote within a cell", b'email,name\na@b.co,x"y\nc@d.co,z"\n', [["a@b.co", 'x"y'], ["c@d.co", 'z"']]),
    Case(
        "a quote that stays open", b'email,name\na@b.co,x\nc@d.co,"y\ne@f.co,z\n', PLAIN, ("a quote is never closed",)
    ),
    Case("a quote that stays open in the header", b'email,"name\na@b.co,x\n', error="quote in the header", row=1),
    Case(
        "stray quotes that swallow rows",
        b'email,name\na@b.co,"x\nb@b.co,y\nc@b.co,"z\nd@b.co,w\n',
        [["d@b.co", "w"]],
        ("a quoted cell holds what looks like another row",),
    ),
    Case("single quotes", b"email,name\na@b.co,'x'\n", [["a@b.co", "'x'"]]),
    Case("a quote after a space", b'email, name\na@b.co, "x"\n', [["a@b.co", '"x"']]),
)

DIALECTS = (
    Case("semicolons", b"email;name\na@b.co;x\n", PLAIN),
    Case("tabs", b"email\tname\na@b.co\tx\n", PLAIN),
    Case("pipes", b"email|name\na@b.co|x\n", PLAIN),
    Case("Excel's hint", b"sep=;\r\nemail;na,me\r\na@b.co;x\r\n", [["a@b.co"]]),
    Case(
        "as many commas as semicolons", b"email;name,age\na@b.co;x,1\n", error="has as many .* pass delimiter=", row=1
    ),
    Case("the same, told", b"email;name,age\na@b.co;x\n", [["a@b.co"]], options={"delimiter": ";"}),
    Case("one column", b"email\na@b.co\n", [["a@b.co"]]),
    Case("one column, quoted commas", b'"email"\n"a@b.co"\n', [["a@b.co"]]),
    Case("a wrong delimiter", b"email;name\na@b.co;x\n", error="pass delimiter=", row=1, options={"delimiter": "|"}),
)

HEADERS = (
    Case("nothing", b"", error="is empty", row=1),
    Case("a mark alone", codecs.BOM_UTF8, error="blank lines only", row=1),
    Case("blank lines alone", b"\n\r\n \n", error="blank lines only", row=1),
    Case("a header alone", b"email,name\n"),
    Case("no header", b"a@b.co,x\nc@d.co,y\n", error="add a header row", row=1),
    Case("no email column", b"name,age\nx,1\n", error="no email column", row=1, column="email"),
    Case("a name twice", b"email,name,name\na@b.co,x,y\n", error='names "name" twice', row=1, column="name"),
    Case("a name twice but for its case", b"email,name,NAME\na@b.co,x,y\n", error="both belong", row=1, column="NAME"),
    Case("spaces and capitals", b" E-Mail ; NAME\na@b.co;x\n", PLAIN),
    Case("a guessed address", b"name,Email Address\nx,a@b.co\n", [["x", "a@b.co"]]),
    Case("columns without a name", b"email,,\na@b.co,,\n", [["a@b.co"]]),
    Case("more cells than columns", b"email,name\na@b.co,x,\nc@d.co,y\n", [["c@d.co", "y"]], ("too many cells",)),
    Case("fewer cells than columns", b"email,name\na@b.co\nc@d.co,y\n", [["c@d.co", "y"]], ("too few cells",)),
    Case(
        "a strange column, refused",
        b"email,shoe\na@b.co,42\n",
        error='no field for "shoe"',
        row=1,
        column="shoe",
        options={"unknown_columns": "refuse"},
    ),
)

CELLS = (
    Case("a NUL byte", b"email,name\na@b.co,x\0y\nc@d.co,z\n", [["c@d.co", "z"]], ("a NUL byte",)),
    Case("NUL bytes alone", b"\0" * 1000, error="NUL|utf-16|no email column"),
    Case("a cell of 10 MB", b"email,name\na@b.co," + b"x" * 10_000_000 + b"\n", error="row 2: .*line is longer", row=2),
    Case(
        "a quoted cell of 10 MB",
        b'email,name\na@b.co,"' + b"x\n" * 5_000_000 + b'"\n',
        error="131,072 characters",
        row=2,
    ),
    Case("an endless line", b"email" + b"x" * 6_000_000, error="longer than 4 Mi", row=1),
    Case("a row of 50,000 cells", b"email,name\n" + b"x," * 50_000 + b"\n", bad=("too many cells",)),
    Case("formulas, left alone", b"email,name\na@b.co,=1+1\n", [["a@b.co", "=1+1"]]),
    Case(
        "formulas, neutralised",
        b"email,name,age\na@b.co,=1+1,-5\nc@d.co,@x,+3\ne@f.co,-7,1\n",
        [["a@b.co", "'=1+1", "-5"], ["c@d.co", "'@x", "+3"], ["e@f.co", "-7", "1"]],
        options={"neutralise_formulas": True},
    ),
    Case(
        "an address that is a formula",
        b"email,name\n=1+1@b.co,x\n",
        [["=1+1@b.co", "x"]],
        options={"neutralise_formulas": True},
    ),
    Case(
        "addresses with Unicode",
        "email\nzoë@müller.de\n用户@例子.公司\na@b\u200b.co\n".encode(),
        [["zoë@müller.de"], ["用户@例子.公司"]],
        ("email: not an address",),
    ),
    Case(
        "addresses that are none",
        b"email\nnobody\n@b.co\na@b\na b@c.co\nA <a@b.co>\na@b.co;c@d.co\n",
        bad=("email: not an address",) * 6,
    ),
    Case("an address with spaces around", b"email\n  a@b.co\t\n", [["a@b.co"]]),
    Case("a wide space around", "email\n\u00a0a@b.co\u3000\n".encode(), [["a@b.co"]]),
    Case("one address many times", b"email\na@b.co\na@B.CO\na@b.co\nA@b.co\n", [["a@b.co"], ["A@b.co"]]),
    Case(
        "a number that is none",
        b"email,age\na@b.co,7\nc@d.co,\xd9\xa7\ne@f.co,1e5\n",
        [["a@b.co", "7"]],
        ("age: not a number",) * 2,
    ),
    Case("HTML", b"<html><body>404</body></html>\n", error="no email column", row=1),
    Case("JSON", b'[{"email": "a@b.co"}]\n', error="no email column", row=1),
)


def packed(*files: tuple[str, bytes], name: str = "source.zip") -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        with zipfile.ZipFile(root / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for inner, data in files:
                archive.writestr(inner, data)
        return root / name

    return make


def encrypted(encryption: str, change: Callable[[bytes], bytes] = lambda data: data) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        with ZipWriter(root / "source.zip", "a.csv", "right", encryption) as archive:
            archive.write(b"email,name\na@b.co,x\n")
        (root / "source.zip").write_bytes(change((root / "source.zip").read_bytes()))
        return root / "source.zip"

    return make


def bomb(root: Path) -> Path:
    """A line, over and over, and none of them too long: 20 MB out of 20 kB."""
    with zipfile.ZipFile(root / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w") as out:
        out.write(b"email\n")
        for _ in range(20):
            out.write((b"x" * 100_000 + b"\n") * 10)
    return root / "bomb.zip"


def gzip_bomb(root: Path) -> Path:
    with gzip.open(root / "bomb.gz", "wb") as out:
        out.write(b"email\n")
        for _ in range(20):
            out.write((b"x" * 100_000 + b"\n") * 10)
    return root / "bomb.gz"


def with_bad_sum(root: Path) -> Path:
    data = bytearray(gzip.compress(TEXT.encode()))
    data[-8:-4] = struct.pack("<I", zlib.crc32(b"something else"))
    (root / "source.csv.gz").write_bytes(data)
    return root / "source.csv.gz"


GZIPPED = gzip.compress(b"email,name\na@b.co,x\n" + b"".join(b"u%d@b.co,%d\n" % (i, i * 7919) for i in range(9_000)))
CSV = ("a.csv", b"email,name\na@b.co,x\n")

ARCHIVES = (
    Case("gzip", gzip.compress(TEXT.encode()), ZOE),
    Case("gzip in two pieces", gzip.compress(TEXT.encode()) + gzip.compress(b"c@d.co,y\n"), [*ZOE, ["c@d.co", "y"]]),
    Case("gzip of UTF-16", gzip.compress(TEXT.encode("utf-16")), ZOE),
    Case("gzip, cut off", GZIPPED[:-4_000], error=r"row \d{4}: .*damaged or cut off"),
    Case("gzip, cut off in its header", b"\x1f\x8b\x08\x08", error="damaged or cut off", row=1),
    Case("gzip with a wrong sum", with_bad_sum, error="damaged or cut off"),
    Case("gzip of nothing", gzip.compress(b""), error="is empty", row=1),
    Case("gzip within gzip", gzip.compress(gzip.compress(TEXT.encode())), error="unpack it once"),
    Case("gzip that fills disks", gzip_bomb, error="grows more than 200-fold"),
    Case("ZIP", packed(CSV), PLAIN),
    Case("ZIP named otherwise", packed(CSV, name="source.csv"), PLAIN),
    Case("ZIP from a Mac", packed(CSV, ("__MACOSX/._a.csv", b"\0"), (".DS_Store", b"\0")), PLAIN),
    Case("ZIP in a folder", packed(("f/a.csv", CSV[1])), PLAIN),
    Case("ZIP with two files", packed(CSV, ("b.csv", b"email\n")), error="holds 2 files: .* exactly one"),
    Case("ZIP with none", packed(), error="holds 0 files"),
    Case("ZIP within ZIP", packed(("a.zip", b"PK\x03\x04xxxx")), error="archive within an archive"),
    Case("ZIP that fills disks", bomb, error="grows more than 200-fold"),
    Case("ZIP, cut off", lambda root: cut(packed(CSV)(root), 30), error="damaged or unusual ZIP"),
    Case("ZIP with a wrong sum", lambda root: spoil(packed(CSV)(root)), error="damaged"),
    Case("ZIP under an unasked password", encrypted("aes"), error="pass password="),
    Case("AES under a wrong password", encrypted("aes"), error="password does not open", options={"password": "wrong"}),
    Case("AES under its password", encrypted("aes"), PLAIN, options={"password": "right"}),
    Case(
        "ZipCrypto under a wrong password",
        encrypted("zipcrypto"),
        error="password does not open|damaged",
        options={"password": "wrong"},
    ),
    Case("ZipCrypto under its password", encrypted("zipcrypto"), PLAIN, options={"password": "right"}),
    Case("an Excel workbook", packed(("[Content_Types].xml", b"<x/>"), ("xl/a.xml", b"<x/>")), error="save it as CSV"),
    Case("an old Excel workbook", b"\xd0\xcf\x11\xe0" + b"\0" * 600, error="save it as CSV"),
    Case("bzip2", b"BZh91AY&SY", error="unpack it first"),
    Case("xz", b"\xfd7zXZ\0", error="unpack it first"),
    Case("zstd", b"\x28\xb5\x2f\xfd\0", error="unpack it first"),
    Case("a PDF", b"%PDF-1.7\n", error="PDF"),
    Case("Parquet that is none", b"PAR1 and nothing more", error="cannot be read as Arrow"),
    Case("a directory", lambda root: root, error="cannot be opened"),
    Case("no file", lambda root: root / "gone.csv", error="No such file"),
    Case("a pattern without a file", lambda root: root / "gone-*.csv", error="no file matches"),
)


def cut(path: Path, size: int) -> Path:
    path.write_bytes(path.read_bytes()[:-size])
    return path


def spoil(path: Path) -> Path:
    """Change a bit of the sum, in both places where an archive has it."""
    crc = struct.pack("<I", zlib.crc32(CSV[1]))
    path.write_bytes(path.read_bytes().replace(crc, struct.pack("<I", zlib.crc32(CSV[1]) ^ 1)))
    return path


CORPUS = (*ENCODINGS, *LINE_ENDS, *QUOTES, *DIALECTS, *HEADERS, *CELLS, *ARCHIVES)


def sort(source: Any, root: Path, **options: Any) -> tuple[list[list[str]], list[str]]:
    """Return the good rows, and the reasons of the bad ones."""
    cleaner = Cleaner(source, root / "parts", root / "side.csv", Recipe(RULES, **options))
    (root / "parts").mkdir(exist_ok=True)
    try:
        cleaner.open()
        while cleaner.step():
            pass
        cleaner.close()
    except BaseException:
        cleaner.discard()
        raise
    tally = cleaner.tally()
    good = [row for part in tally.parts for row in read_rows(part.path)[1:]]
    bad = [row[1] for row in read_rows(tally.side_file)[1:]] if tally.side_file else []
    assert tally.rows_read == len(good) + len(bad) + tally.duplicates
    return good, bad


def read_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline()
        text.seek(0)
        return list(csv.reader(text, delimiter=next((mark for mark in ";\t|" if mark in first), ",")))


@pytest.mark.parametrize("case", CORPUS, ids=[case.title for case in CORPUS])
def test_a_file_from_the_wild_gives_rows_or_says_what_is_wrong(case: Case, tmp_path: Path):
    """And leaves nothing behind when it is refused."""
    if callable(case.data):
        source = case.data(tmp_path)
    else:
        source = tmp_path / "source.csv"
        source.write_bytes(case.data)
    if not case.error:
        assert sort(source, tmp_path, **case.options) == (case.rows, list(case.bad))
        return
    with pytest.raises(CSVError) as caught:
        sort(source, tmp_path, **case.options)
    assert re.search(case.error, str(caught.value))
    assert case.row is None or caught.value.row == case.row
    assert case.column is None or caught.value.column == case.column
    assert not list((tmp_path / "parts").iterdir())
    assert not (tmp_path / "side.csv").exists()


def test_the_corpus_is_large_and_names_each_case_once():
    assert len({case.title for case in CORPUS}) == len(CORPUS) >= 100


def test_no_error_shows_an_address(tmp_path):
    """Errors go into logs; rows do not."""
    for number, case in enumerate(case for case in CORPUS if case.error):
        root = tmp_path / str(number)
        root.mkdir()
        if callable(case.data):
            source = case.data(root)
        else:
            source = root / "source.csv"
            source.write_bytes(case.data)
        with pytest.raises(CSVError) as caught:
            sort(source, root, **case.options)
        assert "a@b.co" not in f"{caught.value} {caught.value.__cause__}"


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NAMES = st.one_of(
    CELL, st.sampled_from(['"', '""', ",", "\r", "\n", "\r\n", "a,b", 'x"y', "=1+1", "\ufeff", " ", "\x85"])
)


@given(
    names=st.lists(NAMES, max_size=20),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    line_end=st.sampled_from(["\r\n", "\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    pack=st.sampled_from([lambda data: data, gzip.compress]),
)
def test_what_is_written_is_read_checked_written_and_read_again(
    tmp_path_factory, names, delimiter, encoding, line_end, quoting, pack
):
    """Through the writer of Python, our reader, our writer and the reader of Python; cells lose the space around."""
    root = tmp_path_factory.mktemp("trip")
    wanted = [[f"u{number}@b.co", name] for number, name in enumerate(names)]
    text = io.StringIO(newline="")
    # QUOTE_MINIMAL leaves a lone "\r" unquoted under "\n", and readers take it for the end of a row
    careful = csv.QUOTE_ALL if line_end == "\n" else quoting
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=careful)
    writer.writerows([["email", "name"], *wanted])
    (root / "source.csv").write_bytes(pack(text.getvalue().encode(encoding)))
    good, bad = sort(root / "source.csv", root)
    assert good == [[email, name.strip()] for email, name in wanted]
    assert bad == []
