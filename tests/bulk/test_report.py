"""The report: what adds up, and what is said when it does not."""

import pytest

from ongage_async.bulk import ImportReport, VendorCounts
from ongage_async.bulk.load._report import find_differences


@pytest.mark.parametrize(
    "counts",
    [
        VendorCounts(total=10, success=8, failed=2, duplicate=2),
        VendorCounts(total=10, success=8, failed=0, duplicate=2),
        VendorCounts(total=10, success=5, failed=0, duplicate=2, existing=1, incomplete=1, invalid=1),
        VendorCounts(total=10, success=10),
    ],
    ids=["the help page", "the sample", "every kind apart", "others left out"],
)
def test_each_reading_of_the_vendors_counters_is_accepted(counts):
    assert find_differences(10, counts) == ()


def test_what_no_reading_explains_is_said():
    (sentence,) = find_differences(10, VendorCounts(total=10, success=7, failed=1, duplicate=1))
    assert sentence == (
        "the vendor's counters do not add up to its total of 10 under any reading: "
        "success and failed make 8, with duplicates 9, with every kind 9"
    )


def test_a_total_that_is_not_ours_is_said():
    assert find_differences(12, VendorCounts(total=10, success=10)) == ("12 rows were sent, the vendor counts 10",)
    assert find_differences(None, VendorCounts(total=10, success=10)) == ()
    assert find_differences(12, VendorCounts()) == ("the vendor gives no total",)


def report(**changes):
    values = {"source": "a.csv", "rows_read": 12, "rows_sent": 9, "rows_rejected": {"x": 2}, "duplicates": 1}
    values |= {"import_id": 5, "status": 40003, "vendor": VendorCounts(total=9, success=9)}
    return ImportReport(**values | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"rows_read": 13},
        {"rows_rejected": {}},
        {"duplicates": 0},
        {"vendor": VendorCounts(total=8)},
        {"vendor": VendorCounts()},
    ],
)
def test_a_row_that_is_missing_anywhere_is_seen(changes):
    assert report().adds_up
    assert not report(**changes).adds_up
    assert "NOT add up" in report(**changes).as_text()


def test_the_text_tells_the_sum_the_reasons_and_the_differences():
    text = report(rows_rejected={"rare": 1, "frequent": 2001}, rows_read=2012, differences=("odd",), calls=9).as_text()
    assert "2,012 rows read = 9 sent + 2,002 rejected + 1 duplicates" in text
    assert text.index("frequent") < text.index("rare")
    assert "  ! odd" in text
    assert text.endswith("0.0 s, 9 API calls")


def test_names_that_hold_addresses_are_blotted_out():
    made = report(source="john@doe.com.csv", unknown_columns=("john@doe.com", "shoe"))
    assert "john" not in made.as_text() + made.as_json() + repr(made)
