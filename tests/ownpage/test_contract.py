"""What becomes of a file's columns and values, before anything is sent."""

import csv
from pathlib import Path
from typing import Any

import pytest

from ongage_async import ConfigurationError, CSVError
from ongage_async.bulk.check._clean import Cleaner, Recipe
from ongage_async.ownpage._contract import plan_file


def sent(header: str, **options: Any) -> list[str]:
    return [name for _, name in plan_file(header.split(","), **options).sent]


def test_the_vendors_columns_are_known_in_any_case():
    assert sent("guid,EMAIL,Subscribed,unsubscribed_cause,data_firstname,DATA_City") == [
        "guid",
        "email",
        "subscribed",
        "unsubscribed_cause",
        "data_firstname",
        "data_City",
    ]


def test_the_address_is_guessed_and_others_are_mapped():
    mapping = {"Prénom": "data_firstname", "Opt in": "subscribed", "Notes": None}
    plan = plan_file(["E-Mail address", "Prénom", "Opt in", "Notes"], mapping=mapping | {"E-Mail address": "email"})
    assert plan.sent == ((0, "email"), (1, "data_firstname"), (2, "subscribed"))
    assert sent("Mail,guid") == ["email", "guid"]


def test_other_columns_are_dropped_refused_or_sent_as_data():
    plan = plan_file(["email", "First name", "city"])
    assert (plan.sent, plan.unknown) == (((0, "email"),), ("First name", "city"))
    with pytest.raises(CSVError, match="First name"):
        plan_file(["email", "First name"], unknown="refuse")
    assert sent("email,First name,city", unknown="data") == ["email", "data_first_name", "data_city"]
    assert sent("mail,First name,city", unknown="data", mapping={"city": None}) == ["email", "data_first_name"]


@pytest.mark.parametrize(
    ("header", "options", "sentence"),
    [
        (["name"], {}, "no email column"),
        (["email", "guid", "guid"], {}, "twice"),
        (["ann@doe.fr", "x"], {}, "address instead of column names"),
        (["email", "data_a b"], {}, "cannot be the name of an attribute"),
        (["email", "A b", "a-b"], {"unknown": "data"}, "both belong"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused(header: list[str], options: Any, sentence: str):
    with pytest.raises(CSVError, match=sentence):
        plan_file(header, **options)


@pytest.mark.parametrize("mapping", [{"x": "firstname"}, {"nowhere": "guid"}])
def test_a_mapping_to_what_is_not_there_is_refused(mapping: Any):
    with pytest.raises(ConfigurationError, match="mapping"):
        plan_file(["email", "x"], mapping=mapping)


SOURCE = """email;subscribed;unsubscribed_cause;guid;data_city
a@doe.fr;TRUE;;1;Paris
b@doe.fr;0;publisher;2;
c@doe.fr;oui;;3;Nice
d@doe.fr;;READER;;
e@doe.fr;perhaps;;;
f@doe.fr;false;BOUNCE;;
not an address;true;;;
a@DOE.fr;false;;9;
g@doe.fr;no
"""


def test_values_are_checked_and_written_as_the_vendor_wants_them(tmp_path: Path):
    source, clean, side = tmp_path / "s.csv", tmp_path / "part-0001.csv", tmp_path / "side.csv"
    source.write_text(SOURCE)
    cleaner = Cleaner(source, tmp_path, side, Recipe(rules=(), planner=plan_file))
    cleaner.open()
    while cleaner.step():
        pass
    cleaner.close()
    with clean.open(newline="") as text:
        assert list(csv.reader(text)) == [
            ["email", "subscribed", "unsubscribed_cause", "guid", "data_city"],
            ["a@doe.fr", "true", "", "1", "Paris"],
            ["b@doe.fr", "false", "PUBLISHER", "2", ""],
            ["c@doe.fr", "true", "", "3", "Nice"],
            ["d@doe.fr", "", "READER", "", ""],
        ]
    tally = cleaner.tally()
    assert tally.rejected == {
        "subscribed: not true or false": 1,
        "unsubscribed_cause: not READER or PUBLISHER": 1,
        "email: not an address": 1,
        "too few cells": 1,
    }
    assert (tally.rows_read, tally.rows_clean, tally.duplicates) == (9, 4, 1)
    again = side.read_text(encoding="utf-8-sig").splitlines()
    assert again[0] == "ongage_row;ongage_reason;email;subscribed;unsubscribed_cause;guid;data_city"
    assert again[1] == "6;subscribed: not true or false;e@doe.fr;perhaps;;;"
