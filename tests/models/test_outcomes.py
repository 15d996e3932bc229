"""What became of each row: sets in every shape, counters alone, repeated addresses, and sums that always add up."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async.models import ContactsReport, RowKind
from ongage_async.models._converter import structure
from ongage_async.models.outcomes import MutationResult, report


def told(emails: list[str], payload: dict[str, Any]) -> ContactsReport:
    result = structure(MutationResult, payload, operation="contacts.create")
    return report([{"email": email} for email in emails], result)


def kinds(emails: list[str], payload: dict[str, Any]) -> list[str]:
    return [outcome.kind.value for outcome in told(emails, payload)]


def test_every_row_has_its_outcome_in_input_order() -> None:
    payload = {
        "rows": 4,
        "success": 3,
        "failed": 1,
        "created": 1,
        "created_emails": {"c@x.y": "id-c"},
        "updated": 1,
        "updated_emails": {"a@x.y": "id-a"},
        "revived": 1,
        "revived_emails": {"d@x.y": "id-d"},
        "success_emails": {"c@x.y": "id-c", "a@x.y": "id-a", "d@x.y": "id-d"},
        "failed_emails": {"b@x.y": "Invalid email"},
    }
    report = told(["a@x.y", "b@x.y", "c@x.y", "d@x.y"], payload)
    outcomes = report.outcomes
    assert [report[0], report[-1], *report] == [outcomes[0], outcomes[3], *outcomes]
    assert [outcome.kind for outcome in outcomes] == ["updated", "rejected", "created", "revived"]
    assert [outcome.contact_id for outcome in outcomes] == ["id-a", None, "id-c", "id-d"]
    assert [outcome.reason for outcome in outcomes] == [None, "Invalid email", None, None]
    assert [outcome.index for outcome in outcomes] == [0, 1, 2, 3]


def test_addresses_match_without_regard_to_case_and_blanks() -> None:
    assert kinds([" John@Doe.com"], {"created_emails": {"john@doe.COM": "1"}}) == ["created"]


@pytest.mark.parametrize(
    "created",
    [
        {"a@x.y": "1", "b@x.y": "2"},
        {"a@x.y": 1, "b@x.y": None},
        ["a@x.y", "b@x.y"],
        [{"email": "a@x.y", "id": "1"}, {"email": "b@x.y"}],
        [{"a@x.y": "1"}, {"b@x.y": "2"}],
        {"0": "a@x.y", "1": "b@x.y"},
        {"0": {"email": "a@x.y"}, "1": {"email": "b@x.y"}},
    ],
)
def test_a_set_may_have_any_shape(created: Any) -> None:
    assert kinds(["a@x.y", "b@x.y"], {"created_emails": created, "failed_emails": []}) == ["created", "created"]


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        ({"a@x.y": "bad"}, "bad"),
        ({"a@x.y": ["bad", "worse"]}, "bad; worse"),
        ({"a@x.y": {"message": "bad"}}, "bad"),
        ({"a@x.y": {"name": "too long", "age": ["no number"]}}, "too long; no number"),
        ({"a@x.y": None}, None),
        ({"a@x.y": 17}, None),
        (["a@x.y"], None),
        ([{"email": "a@x.y", "reason": "bad"}], "bad"),
        ({"bad": ["a@x.y"]}, "bad"),
        ({"bad": "a@x.y"}, "bad"),
        ({"0": "a@x.y"}, None),
        ({"0": {"email": "a@x.y", "error": "bad"}}, "bad"),
    ],
)
def test_a_reason_may_have_any_shape(failed: Any, reason: str | None) -> None:
    outcome = told(["a@x.y"], {"failed_emails": failed}).outcomes[0]
    assert (outcome.kind, outcome.reason) == (RowKind.REJECTED, reason)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"created": 2}, "created"),
        ({"rows": 2, "success": 2, "created": 2, "updated": 0, "revived": 0, "failed": 0}, "created"),
        ({"success": "2", "updated": "2", "created_emails": [], "updated_emails": []}, "updated"),
        ({"revived": 2, "success": 2}, "revived"),
        ({"success": 2}, "succeeded"),
        ({"success": 2, "created": 1, "updated": 1}, "succeeded"),
        ({"success": 0, "failed": 2}, "rejected"),
        ({"failed": 2}, "rejected"),
        ({"success": 1, "failed": 1}, "unknown"),
        ({"created": 1}, "unknown"),
        ({"created": 1, "failed": 1}, "unknown"),
        ({"success": 2, "failed": 2}, "unknown"),
        ({"success": 2, "created": 2, "updated": 2}, "succeeded"),
        ({"success": 3, "created": 2, "updated": 1}, "unknown"),
        ({"created": 2, "created_emails": "none"}, "created"),
        ({"rows": 2}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_counters_alone_settle_rows_where_they_leave_one_reading(payload: dict[str, Any], expected: str) -> None:
    assert kinds(["a@x.y", "b@x.y"], payload) == [expected, expected]


def test_counters_settle_the_rows_that_no_set_names() -> None:
    payload = {
        "success": 2,
        "created": 2,
        "created_emails": {"a@x.y": "1", "b@x.y": "2"},
        "failed": 1,
        "failed_emails": [],
    }
    assert kinds(["a@x.y", "z@x.y", "b@x.y"], payload) == ["created", "rejected", "created"]


def test_rows_named_only_as_successes_count_as_succeeded_or_as_what_the_counters_say() -> None:
    sets = {"success": 2, "success_emails": {"a@x.y": "1", "b@x.y": "2"}}
    assert kinds(["a@x.y", "b@x.y"], sets) == ["succeeded", "succeeded"]
    assert told(["a@x.y"], sets).outcomes[0].contact_id == "1"


def test_an_id_may_stand_in_another_set_than_the_one_that_says_most() -> None:
    sets = {"created_emails": ["a@x.y"], "success_emails": {"a@x.y": 7}, "updated_emails": {"b@x.y": True}}
    outcomes = told(["a@x.y", "b@x.y"], sets).outcomes
    assert [(o.kind, o.contact_id) for o in outcomes] == [("created", "7"), ("updated", None)]


def test_of_equal_addresses_the_last_row_holds_the_outcome() -> None:
    payload = {"created_emails": {"a@x.y": "1"}, "failed_emails": {"A@x.y": "exists"}}
    assert kinds(["a@x.y", "b@x.y", "A@X.Y"], {**payload, "updated_emails": ["b@x.y"]}) == [
        "duplicate",
        "updated",
        "created",
    ]


def test_a_counter_may_count_rows_or_addresses() -> None:
    assert kinds(["a@x.y", "a@x.y"], {"created": 1}) == ["duplicate", "created"]
    assert kinds(["a@x.y", "a@x.y"], {"updated": 2}) == ["duplicate", "updated"]


def test_an_address_that_is_done_and_failed_at_once_is_unknown() -> None:
    payload = {"created_emails": ["a@x.y"], "failed_emails": {"a@x.y": "exists"}}
    outcome = told(["a@x.y"], payload).outcomes[0]
    assert (outcome.kind, outcome.reason) == (RowKind.UNKNOWN, "exists")


def test_a_row_without_an_address_is_found_by_its_id() -> None:
    result = structure(MutationResult, {"updated_emails": {"a@x.y": "5aae"}}, operation="contacts.update")
    outcomes = report([{"id": "5aae"}, {"id": "5bbb"}], result).outcomes
    assert [(o.kind, o.contact_id) for o in outcomes] == [("updated", "5aae"), ("unknown", "5bbb")]


def test_a_report_in_a_log_shows_no_address() -> None:
    shown = repr(
        told(
            ["john@doe.com", "b@doe.com"],
            {"created_emails": {"john@doe.com": "1"}, "failed_emails": {"b@doe.com": "b@doe.com?"}},
        )
    )
    assert "doe.com" not in shown


def test_outcomes_can_be_picked_by_kind() -> None:
    found = told(["a@x.y", "b@x.y"], {"created_emails": ["a@x.y"], "failed_emails": ["b@x.y"]})
    assert [outcome.email for outcome in found.of(RowKind.REJECTED, RowKind.UNKNOWN)] == ["b@x.y"]
    assert len(found) == 2
    assert (found.counts["created"], found.counts["rejected"], found.counts["unknown"]) == (1, 1, 0)


addresses = st.sampled_from(["a@x.y", "B@x.y", "b@x.y", "c@x.y", "d@x.y", "é@x.y"])
counters = st.none() | st.integers(-3, 8) | st.integers(0, 8).map(str)
details = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | addresses,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(addresses | st.sampled_from(["email", "id", "0"]), inner, max_size=4)
    ),
    max_leaves=8,
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["rows", "success", "failed", "created", "updated", "revived"], counters),
        **dict.fromkeys([f"{kind}_emails" for kind in ("success", "failed", "created", "updated", "revived")], details),
    },
)


@settings(deadline=None)
@given(st.lists(addresses, min_size=1, max_size=8), payloads)
def test_outcomes_add_up_whatever_the_vendor_answers(emails: list[str], payload: dict[str, Any]) -> None:
    found = told(emails, payload)
    assert [outcome.email for outcome in found] == emails
    assert [outcome.index for outcome in found] == list(range(len(emails)))
    assert sum(found.counts.values()) == len(emails)
    assert set(found.counts) == set(RowKind)
    repeats = sum(count - 1 for count in Counter(email.lower() for email in emails).values())
    assert found.counts[RowKind.DUPLICATE] == repeats


truths = st.lists(st.sampled_from(["created", "updated", "revived", "failed"]), min_size=1, max_size=8)
hidden = st.sets(st.sampled_from(["created", "updated", "revived", "failed", "success"]))


@settings(deadline=None)
@given(truths, hidden)
def test_no_outcome_contradicts_what_the_vendor_did(truth: list[str], without_sets: set[str]) -> None:
    """The vendor does something known, tells it with some sets left out, and the report is never wrong about it."""
    emails = [f"{index}@x.y" for index in range(len(truth))]
    payload: dict[str, Any] = {"rows": len(truth), "success": sum(kind != "failed" for kind in truth)}
    for kind in ("created", "updated", "revived", "failed"):
        named = {email: f"id{email}" for email, true in zip(emails, truth, strict=True) if true == kind}
        payload[kind] = len(named)
        payload[f"{kind}_emails"] = [] if kind in without_sets or not named else named
    done = {email: f"id{email}" for email, true in zip(emails, truth, strict=True) if true != "failed"}
    payload["success_emails"] = [] if "success" in without_sets or not done else done
    for outcome, true in zip(told(emails, payload), truth, strict=True):
        allowed = {"failed": {"rejected"}}.get(true, {true, "succeeded"}) | {"unknown"}
        assert outcome.kind in allowed
        if not without_sets:
            assert outcome.kind == {"failed": "rejected"}.get(true, true)


def test_addresses_that_only_fold_together_are_two():
    """`straße` and `strasse` are two mailboxes, though Unicode folds them into one."""
    rows = [{"email": "straße@doe.com"}, {"email": "STRASSE@doe.com"}]
    told = report(
        rows,
        MutationResult(
            rows=2,
            success=2,
            created=1,
            updated=1,
            created_emails={"straße@doe.com": "1"},
            updated_emails={"strasse@doe.com": "2"},
        ),
    )
    assert [(row.kind, row.contact_id) for row in told] == [(RowKind.CREATED, "1"), (RowKind.UPDATED, "2")]
