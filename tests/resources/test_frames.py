"""Rows of reports as data frames, by the real libraries: the vendor's text becomes numbers, and nothing is lost."""

import json
import math
import sys
from typing import Any

import pandas
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async.resources._frames import columns_of, frame_of

LIBRARIES = pytest.mark.parametrize("library", ["polars", "pandas"])
ROWS = [
    {"mailing_id": "123", "mailing_name": "2026", "sent": "10", "opens": 4, "ctr": "0.25", "success_percent": "99.10%"},
    {"mailing_id": "124", "mailing_name": "Sale", "sent": "12", "opens": "5", "ctr": "1", "is_test_campaign": True},
    {"mailing_id": "125", "mailing_name": None, "sent": None, "opens": "6", "ctr": None, "success_percent": None},
]


def values(frame: Any) -> dict[str, list[Any]]:
    """Return a frame by column, in Python's own values."""
    if isinstance(frame, polars.DataFrame):
        return frame.to_dict(as_series=False)
    return {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame}


def types(frame: Any) -> dict[str, str]:
    if isinstance(frame, polars.DataFrame):
        return {name: str(kind) for name, kind in frame.schema.items()}
    return {name: str(kind) for name, kind in frame.dtypes.items()}


WHOLE, BROKEN = {"polars": "Int64", "pandas": "Int64"}, {"polars": "Float64", "pandas": "Float64"}
TEXT, FLAG = {"polars": "String", "pandas": "str"}, {"polars": "Boolean", "pandas": "boolean"}


@LIBRARIES
def test_text_that_holds_numbers_becomes_numbers_and_names_stay_text(library: Any) -> None:
    """The vendor's mixture comes out in the same types from both libraries, holes and missing keys included."""
    frame = frame_of(library)(ROWS, ["mailing_id", "mailing_name", "sent"])
    assert types(frame) == {
        "mailing_id": WHOLE[library],
        "mailing_name": TEXT[library],
        "sent": WHOLE[library],
        "opens": WHOLE[library],
        "ctr": BROKEN[library],
        "success_percent": TEXT[library],
        "is_test_campaign": FLAG[library],
    }
    assert values(frame) == {
        "mailing_id": [123, 124, 125],
        "mailing_name": ["2026", "Sale", None],
        "sent": [10, 12, None],
        "opens": [4, 5, 6],
        "ctr": [0.25, 1.0, None],
        "success_percent": ["99.10%", None, None],
        "is_test_campaign": [None, True, None],
    }


@LIBRARIES
def test_a_frame_can_be_reckoned_with(library: Any) -> None:
    """The point of it: sums without a conversion."""
    frame = frame_of(library)(ROWS, [])
    assert (frame["sent"].sum(), frame["opens"].sum()) == (22, 15)


@LIBRARIES
def test_a_report_without_rows_has_the_columns_that_were_asked_for(library: Any) -> None:
    """Code that reads a column does not break on a day without mailings."""
    frame = frame_of(library)([], ["mailing_id", "sent"])
    assert (list(frame.columns), len(frame)) == (["mailing_id", "sent"], 0)


@LIBRARIES
@pytest.mark.parametrize(
    ("given_values", "expected"),
    [
        (["007", "12"], ["007", "12"]),
        (["12", "n/a"], ["12", "n/a"]),
        ([12, "n/a", 0.5], ["12", "n/a", "0.5"]),
        (["1e5", "2"], ["1e5", "2"]),
        (["9" * 19, "1"], ["9" * 19, "1"]),
        ([2**70, 1], [str(2**70), "1"]),
        ([True, 2], ["true", "2"]),
        ([[1, "x"], {"a": None}], ['[1, "x"]', '{"a": null}']),
        ([math.inf, 1.0], ["Infinity", "1.0"]),
        (["²", "٣"], ["²", "٣"]),
        ([None, None], [None, None]),
    ],
)
def test_a_column_of_more_than_one_kind_is_text_as_it_came(library: Any, given_values: Any, expected: Any) -> None:
    """Leading zeros, numbers beyond 64 bits, words among numbers: no value is changed, lost or refused."""
    frame = frame_of(library)([{"x": value} for value in given_values], [])
    assert values(frame) == {"x": expected}


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["1", "-2", "0.5"])
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


@LIBRARIES
@settings(deadline=None, max_examples=150)
@given(rows=st.lists(st.dictionaries(st.sampled_from(["a", "mailing_name", "ctr"]), VALUES), max_size=5))
def test_any_rows_make_a_frame_and_no_value_disappears(library: Any, rows: list[dict[str, Any]]) -> None:
    """Every value is there in its place, as itself or as the text of itself."""
    made = values(frame_of(library)(rows, ["a"]))
    assert set(made) == {"a"} | {key for row in rows for key in row}
    for number, row in enumerate(rows):
        for name, column in made.items():
            assert _says(column[number]) == _says(row.get(name)), (name, row)


def _says(value: Any) -> Any:
    """Return what a value says, written as a number or as text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    try:
        return repr(float(text))
    except (ValueError, OverflowError):
        return text


def test_columns_come_in_the_order_of_the_question() -> None:
    """What was asked for comes first, then what only the rows have."""
    assert list(columns_of([{"z": 1, "b": 2, "a": 3}], ["a", "missing"])) == ["a", "missing", "z", "b"]


def test_polars_comes_first_and_pandas_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a wish, the first that is installed."""
    assert isinstance(frame_of()([{"a": 1}], []), polars.DataFrame)
    monkeypatch.setitem(sys.modules, "polars", None)
    assert isinstance(frame_of()([{"a": 1}], []), pandas.DataFrame)
