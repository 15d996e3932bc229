"""What people write as conditions and columns is read as they mean it, or refused with a sentence."""

from datetime import UTC, date, datetime

import pytest

from ongage_async.cli._conditions import columns, criteria, filters, groups, orders
from ongage_async.cli._ending import UsageError
from ongage_async.models import FieldType
from ongage_async.models.reports import Column, Condition, Grouping, Order
from ongage_async.resources.criteria import field, render

TYPES = {
    "email": FieldType.EMAIL,
    "country": FieldType.STRING,
    "zip": FieldType.STRING,
    "age": FieldType.NUMERIC,
    "born": FieldType.DATE,
}
NEW_YEAR = date(2026, 1, 1)


@pytest.mark.parametrize(
    ("condition", "rule"),
    [
        ("country=Chile", field("country", type="string").equals("Chile")),
        ("country = Chile|Peru", field("country", type="string").equals("Chile", "Peru")),
        ("country!=Chile", field("country", type="string").not_equals("Chile")),
        ("country~hil", field("country", type="string").contains("hil")),
        ("country!~hil", field("country", type="string").not_contains("hil")),
        ("country=", field("country", type="string").is_empty()),
        ("country!=", field("country", type="string").is_not_empty()),
        ("zip=0123", field("zip", type="string").equals("0123")),
        ("age=30", field("age").equals(30)),
        ("age>=30", field("age").at_least(30)),
        ("age<30.5", field("age").less_than(30.5)),
        ("born>2026-01-01", field("born").after(NEW_YEAR)),
        ("born<=2026-01-01", field("born").at_most(NEW_YEAR)),
        ("email~@doe.com", field("email").contains("@doe.com")),
        ("ocx_created_date>=2026-01-01", field("ocx_created_date").at_least(NEW_YEAR)),
        ("born>2026-01-01T12:00", field("born").after(datetime(2026, 1, 1, 12, tzinfo=UTC))),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_condition_becomes_the_rule_that_a_program_would_write(condition: str, rule: object):
    """A text field keeps "0123" a text: the list's own fields say what a value is, not its looks."""
    assert criteria([condition], TYPES) == rule


def test_conditions_are_joined_and_none_means_everybody():
    both = ["age>=30", "country=Chile"]
    assert [rule["condition"] for rule in render(criteria(both, TYPES))] == ["and", "and"]
    assert [rule["condition"] for rule in render(criteria(both, TYPES, either=True))] == ["or", "or"]
    assert criteria([], TYPES) == field("email").is_not_empty()


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("country", "a sign and a value"),
        ("nix=1", "no field nix; it has age, born"),
        ("age=many", "no number"),
        ("age>", "needs a value"),
        ("age>1|2", "takes one value"),
        ("born>yesterday", "no day or time"),
        ("born>2026-13-01", "no day or time"),
    ],
)
def test_what_cannot_be_a_condition_is_refused_in_a_sentence(condition: str, words: str):
    with pytest.raises(UsageError, match=words):
        criteria([condition], TYPES)


def test_a_report_is_read_word_by_word():
    assert columns(["mailing_name", "sum(sent)", "SUM( clicks ) as clicked", "count(sent)"]) == [
        "mailing_name",
        Column("sum(`sent`)", "sent"),
        Column("sum(`clicks`)", "clicked"),
        Column("count(`sent`)", "sent_count"),
    ]
    assert groups(["mailing_name", "stats_date:week"]) == ["mailing_name", Grouping("stats_date", "week")]
    assert orders(["sent", "sent:asc", "clicks:desc"]) == [
        Order("sent", "ASC"),
        Order("sent", "ASC"),
        Order("clicks", "DESC"),
    ]
    assert filters(["stats_date>=2026-01-01", "sent>0", "mailing_name='2026'", "rate<0.5", "name=July"]) == [
        Condition("stats_date", ">=", NEW_YEAR),
        Condition("sent", ">", 0),
        Condition("mailing_name", "=", "2026"),
        Condition("rate", "<", 0.5),
        Condition("name", "=", "July"),
    ]


@pytest.mark.parametrize(
    ("read", "word"),
    [(columns, "sum(sent"), (columns, "a b"), (groups, "day:hour"), (orders, "sent:down"), (filters, "name~x")],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_what_a_report_cannot_have_is_refused(read: object, word: str):
    with pytest.raises(UsageError):
        read([word])  # type: ignore[operator]  # one reader of several, each takes words
