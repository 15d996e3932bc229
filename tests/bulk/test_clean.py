"""Sorting rows into clean, rejected and duplicate, and losing none."""

import csv
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async.bulk._fields import FieldRule
from ongage_async.bulk.check._clean import Cleaner, Recipe, dedupe_key
from ongage_async.errors import CSVError, StagingError

RULES = (FieldRule("name"), FieldRule("age", "numeric"), FieldRule("day", "date", "yyyy-mm-dd"))


@pytest.fixture
def clean(tmp_path):
    """Return a function that sorts bytes, to (tally, clean records, side records)."""

    def cleaning(data: bytes, rules=RULES, name="source.csv", **options):
        return sort(tmp_path, data, rules, name, **options)

    return cleaning


def sort(root, data, rules=RULES, name="source.csv", **options):
    source = root / name
    source.write_bytes(data)
    for part in root.glob("part-*"):
        part.unlink()
    cleaner = Cleaner(source, root, source.with_suffix(".rejected.csv"), Recipe(tuple(rules), **options))
    try:
        cleaner.open()
        while cleaner.step():
            pass
        delimiter = cleaner._source.delimiter
    finally:
        cleaner.close()
    tally = cleaner.tally()
    good = records(tally.parts[0].path) if tally.parts else [[]]
    return tally, good, records(tally.side_file, delimiter) if tally.side_file else []


def records(path, delimiter=","):
    with path.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.reader(text, delimiter=delimiter))


def test_good_rows_are_normalised_and_bad_ones_keep_their_cells(clean):
    tally, good, bad = clean(
        b"Email, NAME ,age,day\n"
        b" a@B.co , Ann ,1,2024-02-29\n"
        b"nobody,Bob,2,\n"
        b",Cid,3,\n"
        b"d@b.co,Dan, four ,\n"
        b"e@b.co,Eve,5,2024-02-30\n"
        b"f@b.co,Fay\n"
        b"g@b.co,Gus,7,,extra\n"
        b"\n"
        b"A@b.co,Other Ann,,\n"
        b"a@b.CO,Ann again,,\n"
    )
    assert good == [
        ["email", "name", "age", "day"],
        ["a@B.co", "Ann", "1", "2024-02-29"],
        ["A@b.co", "Other Ann", "", ""],
    ]
    assert bad == [
        ["ongage_row", "ongage_reason", "Email", " NAME ", "age", "day"],
        ["3", "email: not an address", "nobody", "Bob", "2", ""],
        ["4", "email: empty", "", "Cid", "3", ""],
        ["5", "age: not a number", "d@b.co", "Dan", " four ", ""],
        ["6", "day: not a date as yyyy-mm-dd", "e@b.co", "Eve", "5", "2024-02-30"],
        ["7", "too few cells", "f@b.co", "Fay"],
        ["8", "too many cells", "g@b.co", "Gus", "7", "", "extra"],
    ]
    assert (tally.rows_read, tally.rows_clean, tally.duplicates, sum(tally.rejected.values())) == (9, 2, 1, 6)


def test_without_dedupe_every_good_row_is_kept(clean):
    tally, good, _ = clean(b"email\na@b.co\na@b.co\n", dedupe=False)
    assert (tally.duplicates, len(good)) == (0, 3)


def test_a_bad_row_does_not_claim_its_address(clean):
    _, good, _ = clean(b"email,age\na@b.co,old\na@b.co,7\n")
    assert good[1:] == [["a@b.co", "7"]]


def test_domains_know_no_case_and_local_parts_do():
    assert dedupe_key("Ann@EXAMPLE.com") == dedupe_key("Ann@example.COM") != dedupe_key("ann@example.com")


def test_only_the_lists_columns_are_sent_in_the_order_of_the_file(clean):
    tally, good, _ = clean(b"age,shoe,email,name\n7,42,a@b.co,Ann\n")
    assert good == [["age", "email", "name"], ["7", "a@b.co", "Ann"]]
    assert tally.unknown_columns == ("shoe",)


def test_mandatory_values_are_demanded(clean):
    _, good, bad = clean(b"email,name\na@b.co, \nc@d.co,Cid\n", rules=[FieldRule("name", mandatory=True)])
    assert (good[1:], bad[1][1]) == ([["c@d.co", "Cid"]], "name: empty")


def test_a_line_break_in_quotes_stays_in_its_cell(clean):
    _, good, bad = clean(b'email,name\na@b.co,"Ann\nLee"\nb@b.co,"CR\ronly"\nc@b.co,"x\r\ny"\n')
    assert good[1:] == [["a@b.co", "Ann\nLee"], ["b@b.co", "CR\ronly"], ["c@b.co", "x\r\ny"]]
    assert bad == []


def test_a_nul_byte_goes_to_the_side_file(clean):
    _, good, bad = clean(b"email,name\na@b.co,An\0n\nb@b.co,Bob\n")
    assert (good[1:], bad[1]) == ([["b@b.co", "Bob"]], ["2", "a NUL byte", "a@b.co", "An\0n"])


def test_an_unclosed_quote_does_not_load_the_rows_it_swallowed(clean):
    tally, good, bad = clean(b'email,name\na@b.co,Ann\nb@b.co,"Bob\nc@b.co,Cid\n')
    assert good[1:] == [["a@b.co", "Ann"]]
    assert bad[1] == ["3", "a quote is never closed", "b@b.co", "Bob\nc@b.co,Cid\n"]
    assert tally.rows_read == 2


def test_two_stray_quotes_do_not_load_the_rows_between_them(clean):
    """To the csv module this is one well-formed record of two cells."""
    _, good, bad = clean(b'email,name\na@b.co,"Ann\nb@b.co,Bob\nc@b.co,"Cid\nd@b.co,Dan\n')
    assert good[1:] == [["d@b.co", "Dan"]]
    assert bad[1][1] == "a quoted cell holds what looks like another row"
    assert "b@b.co" in bad[1][3]


def test_an_address_in_a_note_of_several_lines_is_no_row(clean):
    _, good, bad = clean(b'email,name\na@b.co,"Ann\nwrite to x@y.co, please"\n')
    assert (len(good), bad) == (2, [])


def test_a_cell_of_hundreds_of_lines_is_not_believed(clean):
    _, good, bad = clean(b'email,name\na@b.co,"' + b"x\n" * 500 + b'"\n')
    assert (len(good), bad[1][1]) == (1, "a quoted cell of more than 100 lines")


def test_a_mended_side_file_is_loaded_again(clean):
    _, _, bad = clean(b"email,name,age\na@b.co,Ann,x\nb@b.co,Bob\nnobody,Nob,1\n")
    path_bytes = b"".join(
        b",".join(cell.encode() for cell in row) + b"\n"
        for row in [bad[0], [*bad[1][:4], "7"], bad[2], [*bad[3][:2], "nob@b.co", *bad[3][3:]]]
    )
    tally, good, still_bad = clean(path_bytes, name="mended.csv", unknown_columns="refuse")
    assert good == [["email", "name", "age"], ["a@b.co", "Ann", "7"], ["nob@b.co", "Nob", "1"]]
    assert still_bad == [
        ["ongage_row", "ongage_reason", "email", "name", "age"],
        ["3", "too few cells", "b@b.co", "Bob"],
    ]
    assert tally.rows_read == 3


def test_a_side_file_loads_with_the_arguments_of_its_source(clean, tmp_path):
    data = "email;name\nnobody;Zoë\n".encode("cp1252")
    tally, _, _ = clean(data, encoding="cp1252", delimiter=";")
    again, _, bad = clean(tally.side_file.read_bytes(), name="again.csv", encoding="cp1252", delimiter=";")
    assert (again.rows_read, bad[1][2:]) == (1, ["nobody", "Zoë"])


def test_an_earlier_side_file_is_never_overwritten(clean, tmp_path):
    first = clean(b"email\nnobody\n")[0].side_file
    first.write_text("mended by hand")
    second = clean(b"email\nnobody\n")[0].side_file
    assert (first.read_text(), second.name) == ("mended by hand", "source.rejected-2.csv")


def test_files_with_addresses_are_for_their_owner_only(clean, tmp_path):
    tally, _, _ = clean(b"email\nnobody\na@b.co\n")
    assert tally.side_file.stat().st_mode & 0o777 == 0o600
    assert tally.parts[0].path.stat().st_mode & 0o777 == 0o600


def test_without_bad_rows_there_is_no_side_file(clean, tmp_path):
    tally, _, _ = clean(b"email\na@b.co\n")
    assert tally.side_file is None
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["part-0001.csv", "source.csv"]


def test_a_discarded_run_leaves_nothing(tmp_path):
    (tmp_path / "source.csv").write_bytes(b"email\nnobody\n" + b"a@b.co\n" * 5000 + b"\xff\n")
    cleaner = Cleaner(tmp_path / "source.csv", tmp_path, tmp_path / "side.csv", Recipe(RULES))
    cleaner.open()
    with pytest.raises(CSVError, match="row 5003"):
        cleaner.step(lambda: False)
    cleaner.discard()
    assert [path.name for path in tmp_path.glob("*.csv")] == ["source.csv"]


def test_what_is_closed_from_another_thread_waits_for_the_step_and_ends_the_rest(tmp_path):
    (tmp_path / "source.csv").write_bytes(b"email\n" + b"a@b.co\n" * 50_000)
    cleaner = Cleaner(tmp_path / "source.csv", tmp_path, tmp_path / "side.csv", Recipe(RULES))
    cleaner.open()
    started = threading.Event()

    def enough() -> bool:
        started.set()
        return False

    thread = threading.Thread(target=lambda: cleaner.step(enough))
    thread.start()
    started.wait()
    cleaner.discard()
    thread.join()
    assert cleaner.step() is False
    assert not (tmp_path / "part-0001.csv").exists()


def test_a_full_disk_is_an_error_of_ours(tmp_path):
    (tmp_path / "source.csv").write_bytes(b"email\na@b.co\n")
    cleaner = Cleaner(tmp_path / "source.csv", tmp_path / "no", tmp_path / "side.csv", Recipe(RULES))
    cleaner.open()
    with pytest.raises(StagingError, match="No such file"):
        cleaner.step()
    cleaner.discard()


ADDRESS = st.sampled_from(["a@b.co", "A@B.co", "c@d.co", " e@f.co ", "nobody", "", "x@y.co\0"])
CELL = st.one_of(st.sampled_from(["1", "2024-01-01", '"', "\n", "\r", ",", "x@y.co,1", "'"]), st.text(max_size=6))
ROW = st.tuples(ADDRESS, st.lists(CELL, max_size=3)).map(lambda parts: [parts[0], *parts[1]])


@given(rows=st.lists(ROW, max_size=30), dedupe=st.booleans())
def test_every_record_lands_exactly_once(tmp_path_factory, rows, dedupe):
    """In the clean file, the side file or the duplicates; and those of the side file with all their cells."""
    root = tmp_path_factory.mktemp("rows")
    with (root / "given.csv").open("w", encoding="utf-8", errors="replace", newline="") as text:
        csv.writer(text, lineterminator="\r\n").writerows([["email", "age", "day"], *rows])
    given_rows = [row for row in records(root / "given.csv")[1:] if row]
    tally, good, bad = sort(root, (root / "given.csv").read_bytes(), dedupe=dedupe)
    assert tally.rows_read == len(given_rows) == len(good) - 1 + tally.duplicates + max(0, len(bad) - 1)
    assert tally.rows_clean == len(good) - 1
    left = Counter(tuple(row) for row in given_rows)
    left.subtract(Counter(tuple(row[2:]) for row in bad[1:]))
    assert min(left.values(), default=0) >= 0
    stripped = Counter()
    for row, count in left.items():
        stripped[tuple(cell.strip() for cell in row)] += count
    stripped.subtract(Counter(tuple(row) for row in good[1:]))
    assert min(stripped.values(), default=0) >= 0
    assert sum(stripped.values()) == tally.duplicates


def test_formulas_are_neutralised_in_the_side_file_and_counted_in_the_parts(clean):
    """The side file is what people open in a spreadsheet."""
    data = b"email,name,age\n=1+1,=2+2,x\na@b.co,=3+3,-5\n"
    tally, good, bad = clean(data, neutralise_formulas=True)
    assert (good[1:], bad[1][2:], tally.neutralised) == ([["a@b.co", "'=3+3", "-5"]], ["'=1+1", "'=2+2", "x"], 1)
    tally, _, bad = clean(data)
    assert (bad[1][2:], tally.neutralised) == (["=1+1", "=2+2", "x"], 0)


def test_the_mapping_that_was_found_is_told(clean):
    tally, _, _ = clean(b"E-Mail, NAME ,shoe\na@b.co,Ann,42\n")
    assert tally.mapping == (("E-Mail", "email"), ("NAME", "name"))


def test_an_unclosed_quote_beside_a_nul_byte_is_told_once(clean):
    tally, _, _ = clean(b'email,name\na@b.co,"An\0n\n')
    assert tally.rejected == {"a quote is never closed": 1}


def test_rejected_rows_keep_the_order_of_the_source(clean):
    _, _, bad = clean(b"email,name\nnobody,x\na@b.co\nnobody,y\nb@b.co,1,2\n")
    assert [row[0] for row in bad[1:]] == ["2", "3", "4", "5"]


@pytest.mark.parametrize("most", [0, 50, 32_768])
def test_a_value_that_was_good_or_bad_once_is_so_again(clean, monkeypatch, most):
    """Good values are remembered, some of them, over all chunks; bad ones are told each time."""
    monkeypatch.setattr("ongage_async.bulk.check._clean.MOST_GOOD_VALUES", most)
    ages = [number % 300 if number % 7 else f"x{number % 3}" for number in range(2_000)]
    tally, good, bad = clean(
        b"email,age\n" + b"".join(b"p%d@b.co,%s\n" % (n, str(age).encode()) for n, age in enumerate(ages))
    )
    assert [row[1] for row in good[1:]] == [str(age) for age in ages if isinstance(age, int)]
    assert [row[3] for row in bad[1:]] == [age for age in ages if isinstance(age, str)]
    assert tally.rejected == {"age: not a number": 286}


def test_what_is_remembered_of_good_values_grows_neither_with_the_columns_nor_with_their_length(tmp_path):
    """A memory per column is a leak of a hundred bytes a cell in a table of many numbers that never come again."""
    columns, rows = 40, 3_000
    names = [f"n{column}" for column in range(columns)]
    lines = [",".join([f"c{row}@b.co", *(f"{row * columns + at}" for at in range(columns))]) for row in range(rows)]
    lines += [",".join([f"long{row}@b.co", *([f"{row}" + "7" * 5_000] * columns)]) for row in range(3)]
    source = tmp_path / "wide.csv"
    source.write_text("\n".join([",".join(["email", *names]), *lines]))
    cleaner = Cleaner(
        source, tmp_path, tmp_path / "bad.csv", Recipe(tuple(FieldRule(name, "numeric") for name in names))
    )
    cleaner.open()
    most = 0
    while cleaner.step():
        most = max(most, sum(map(len, cleaner._good)))
    longest = max(len(value) for good in cleaner._good for value in good)
    cleaner.close()
    assert (cleaner.tally().rows_clean, longest <= 32) == (rows + 3, True)
    assert most <= 65_536 + columns * 256
