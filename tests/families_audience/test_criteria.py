"""Criteria: what is written, what goes over the wire, and whom the emulator finds by it."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from ongage_async.emulator import Readings
from ongage_async.emulator._criteria import check, matching
from ongage_async.errors import InvalidInputError
from ongage_async.resources.criteria import Group, Like, Rule, behavior, field, is_and, render, render_segment

NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SECONDS = int(NEW_YEAR.timestamp())


def one(criteria: Any) -> tuple[Any, ...]:
    (rule,) = render(criteria)
    return rule["type"], rule["operator"], rule["operand"]


WRITTEN: list[tuple[Any, tuple[Any, ...]]] = [
    (field("country").equals("Chile", "Peru"), ("string", "=", ["Chile", "Peru"])),
    (field("email").contains("@doe."), ("email", "LIKE", ["@doe."])),
    (field("email").not_contains("@doe."), ("email", "NOT LIKE", ["@doe."])),
    (field("name").begins_with("A", like=Like.VENDOR), ("string", "_LIKE", ["A"])),
    (field("name").begins_with("A", like=Like.CLIENTS), ("string", "LIKE_", ["A"])),
    (field("name").ends_with("A", like=Like.VENDOR), ("string", "LIKE_", ["A"])),
    (field("name").ends_with("A", like=Like.CLIENTS), ("string", "_LIKE", ["A"])),
    (field("product_id").greater_than(5), ("numeric", ">", [5])),
    (field("product_id").at_least(5.5), ("numeric", ">=", [5.5])),
    (field("product_id").less_than(5), ("numeric", "<", [5])),
    (field("product_id").at_most(5), ("numeric", "<=", [5])),
    (field("product_id").between(5, 7), ("numeric", "><", [5, 7])),
    (field("product_id", type="entity").not_equals("7"), ("entity", "!=", ["7"])),
    (field("birthday").after(dt.date(2026, 1, 1)), ("date_absolute", ">", [SECONDS])),
    (field("ocx_created_date").before(NEW_YEAR), ("date_absolute", "<", [SECONDS])),
    (field("ocx_created_date").at_least(SECONDS), ("date_absolute", ">=", [SECONDS])),
    (field("country").is_empty(), ("string", "empty", [""])),
    (field("email").is_not_empty(), ("email", "notempty", [""])),
    (behavior("sent", mailing_ids=[7, 8]), ("behavioral", "=", {"mailing_ids": [7, 8]})),
]


@pytest.mark.parametrize(("criteria", "written"), WRITTEN)
def test_a_condition_is_written_in_the_vendors_words(criteria: Any, written: tuple[Any, ...]) -> None:
    assert one(criteria) == written


def test_the_vendors_sample_of_a_count_is_made() -> None:
    sample = {"field_name": "name", "type": "string", "operator": "LIKE", "operand": ["John", "Mary"]}
    assert render(field("name").contains("John", "Mary")) == [{**sample, "case_sensitive": 0, "condition": "and"}]


def test_another_clients_behavioural_criterion_is_made() -> None:
    assert render(behavior("sent", mailing_ids=[1])) == [
        {
            "field_name": "sent",
            "type": "behavioral",
            "operator": "=",
            "operand": {"mailing_ids": [1]},
            "case_sensitive": 0,
            "condition": "and",
        }
    ]


def test_another_clients_rule_of_a_segment_is_made() -> None:
    assert render_segment(field(387951, type="email").equals("a@b.c")) == [
        {
            "condition": "and",
            "group": "",
            "field_id": 387951,
            "field_name": "",
            "type": "email",
            "position": 0,
            "is_external_operand": False,
            "operator": "=",
            "operand": ["a@b.c"],
            "case_sensitive": 0,
            "left_parenthesis": 0,
            "right_parenthesis": 0,
        }
    ]


def test_conditions_are_joined_by_one_word_on_every_rule() -> None:
    chile, adult = field("country").equals("Chile"), field("age").at_least(18)
    assert [rule["condition"] for rule in render(chile & adult)] == ["and", "and"]
    assert [rule["condition"] for rule in render(chile | adult | field("x").is_empty())] == ["or"] * 3
    assert [rule["position"] for rule in render_segment(chile & adult)] == [0, 1]
    assert render([chile, adult]) == render(chile & adult)
    assert (is_and(chile), is_and(chile & adult), is_and(chile | adult)) == (None, True, False)


def test_the_same_question_about_one_field_becomes_one_condition_with_several_values() -> None:
    either = field("country").equals("Chile") | field("country").equals("Peru")
    assert either == field("country").equals("Chile", "Peru")
    assert isinstance(either & field("age").at_least(18), Group)


def test_none_of_several_values_becomes_several_conditions() -> None:
    neither = field("country").not_equals("Chile", "Peru")
    assert [(rule["operand"], rule["condition"]) for rule in render(neither)] == [(["Chile"], "and"), (["Peru"], "and")]
    assert isinstance(field("country").not_contains("Chile"), Rule)


def test_rules_as_the_vendor_writes_them_go_through_as_they_are() -> None:
    raw = {"field_name": "x", "type": "date_relative", "operator": "=", "operand": [1], "left_parenthesis": 1}
    assert render(raw) == [raw]
    assert render_segment([raw, field("y").is_empty()])[0] == raw
    assert is_and([raw, raw]) is None


A = field("a").equals("x")
REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: field("name").begins_with("A"), "choose with like"),
    (lambda: field("name").ends_with("A"), "choose with like"),
    (lambda: (A & field("b").is_empty()) | field("c").is_empty(), "cannot be mixed"),
    (lambda: (A | field("b").is_empty()) & field("c").is_empty(), "cannot be mixed"),
    (lambda: field("a").equals(), "at least one value"),
    (lambda: field("a").not_equals(), "at least one value"),
    (lambda: field("a").equals(True), "texts, numbers, dates"),
    (lambda: field("a").equals(None), "texts, numbers, dates"),  # type: ignore[arg-type]
    (lambda: field("a").equals("x", 1), "of one kind"),
    (lambda: field("a").after(dt.datetime(2026, 1, 1)), "no time zone"),  # noqa: DTZ001
    (lambda: field(" "), "blank"),
    (lambda: behavior("", mailing_ids=[1]), "blank"),
    (lambda: render([]), "criteria must be"),
    (lambda: render("name = x"), "criteria must be"),  # type: ignore[arg-type]
    (lambda: render([A, 7]), "number 2"),  # type: ignore[list-item]
    (lambda: render([A & field("b").is_empty()]), "joined by &"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("make", "why"), REFUSED)
def test_what_could_mean_two_things_or_nothing_is_refused_where_it_is_written(
    make: Callable[[], Any], why: str
) -> None:
    with pytest.raises(InvalidInputError, match=why):
        make()


FOUND: list[tuple[Any, str]] = [
    (field("country").equals("chile"), "ann cid"),
    (field("country", case_sensitive=True).equals("chile"), ""),
    (field("country").equals("Chile", "Peru"), "ann bob cid"),
    (field("country").not_equals("Chile", "Peru"), "doe eve"),
    (field("email").contains("doe."), "ann bob eve"),
    (field("email").not_contains("doe.", "roe."), "doe"),
    (field("product_id").greater_than(2), "cid doe"),
    (field("product_id").between(1, 3), "ann bob cid"),
    (field("product_id").is_empty(), "eve"),
    (field("country").is_not_empty(), "ann bob cid doe"),
    (field("ocx_status", type="enum").equals("Active"), "ann doe"),
    (field("ocx_created_date").after(dt.date(2023, 1, 1)), "ann bob cid doe eve"),
    (field("ocx_unsubscribe_date").equals(dt.datetime.fromtimestamp(1_700_000_999, dt.UTC)), "bob"),
    (field("ocx_created_date").before(dt.date(2023, 1, 1)), ""),
    (field("country").equals("Chile") & field("name").contains("an"), "ann"),
    (field("country").equals("Peru") | field("name").contains("an"), "ann bob doe"),
    (behavior("sent", mailing_ids=[1]), ""),
]


@pytest.mark.parametrize(("criteria", "names"), FOUND)
def test_the_emulator_finds_exactly_whom_the_words_mean(
    own_list: Any, people: dict[str, Any], criteria: Any, names: str
) -> None:
    found = matching(own_list, check(own_list, render(criteria)), Readings())
    assert " ".join(sorted(view["email"][:3] for view in found)) == names


@pytest.mark.parametrize("like", Like)
@pytest.mark.parametrize("reading", ["vendor", "clients"])
def test_begins_and_ends_are_right_when_chosen_as_the_vendor_reads_them(
    own_list: Any, people: dict[str, Any], like: Like, reading: Any
) -> None:
    def found(criteria: Any) -> list[str]:
        rules = check(own_list, render(criteria))
        return [view["email"][:3] for view in matching(own_list, rules, Readings(like=reading))]

    begins = found(field("email").begins_with("doe", like=like))
    ends = found(field("email").ends_with("doe.com", like=like))
    assert (begins == ["doe"], ends == ["ann", "bob", "eve"]) == ((like.name.lower() == reading),) * 2
