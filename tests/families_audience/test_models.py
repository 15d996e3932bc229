"""Models of these families: the vendor's samples, sloppy types, and anything at all."""

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async import DecodeError, _wire
from ongage_async._operation import Answer, Operation, Repeat
from ongage_async.errors import mask
from ongage_async.events import DriftSeen
from ongage_async.models import (
    AggregateActivity,
    ContactActivity,
    ContactCount,
    ContactResult,
    ContactSearch,
    Export,
    ReportStatus,
    Segment,
    SegmentRule,
    SegmentType,
    SuppressionResult,
)
from ongage_async.models._converter import structure
from ongage_async.resources.contact_counts import ContactCounts
from ongage_async.resources.contact_search import ContactSearches
from ongage_async.resources.suppression import Suppression
from tests.families_audience import samples

REPORTS = [ContactSearch, ContactActivity, AggregateActivity]
MODELS = [*REPORTS, ContactCount, ContactResult, Segment, SegmentRule, Export, SuppressionResult]


def make(model_type: type[Any], payload: Any) -> tuple[Any, list[DriftSeen]]:
    drifts: list[DriftSeen] = []
    return structure(model_type, payload, operation="test.get", on_drift=drifts.append), drifts


@attrs.define
class Canned:
    """Answer every call with one body."""

    body: Any
    sent: list[_wire.WireRequest] = attrs.field(factory=list)

    async def call(self, operation: Operation, **request: Any) -> Answer:
        self.sent.append(_wire.render(operation, **request))
        return _wire.read(operation, 200, {}, json.dumps(self.body).encode())

    async def stream(self, operation: Operation, pour: Any, **request: Any) -> Answer:
        raise AssertionError("no file here")


@pytest.mark.parametrize("name", ["SEGMENT", "SEGMENT_IN_COLLECTION"])
def test_the_vendors_segment_becomes_a_segment_with_nothing_left_over(name: str) -> None:
    segment, drifts = make(Segment, getattr(samples, name))
    assert (segment.id, segment.type, segment.last_count, segment.favorite) == (12345, SegmentType.ACTIVE, 345, False)
    assert (segment.deleted, segment.last_sent) == (None, None)
    assert segment.created == datetime(2017, 8, 6, 7, 37, 28, tzinfo=UTC)
    assert (segment.extra, drifts) == ({}, [])
    assert len(segment.rules) == (name == "SEGMENT")


def test_a_rule_keeps_its_operand_as_it_came_and_out_of_logs() -> None:
    rule, drifts = make(SegmentRule, samples.RULE)
    assert (rule.field_id, rule.operator, rule.operand) == (63337, "=", '["test@test.test"]')
    assert (rule.case_sensitive, rule.condition, drifts) == (False, "and", [])
    assert "test.test" not in repr(rule)


def test_a_row_is_a_contact_as_far_as_it_was_selected() -> None:
    row, drifts = make(ContactResult, samples.ROW)
    assert (row.key, row.sent, row.opens, row.clicks) == ("5aae312578464ae01f8b4567", 3, 2, None)
    assert (row.fields, row.extra, drifts) == ({"country": "Chile"}, {}, [])
    assert make(ContactResult, {"country": "Chile"})[0].key is None
    assert "john" not in repr(row)


@pytest.mark.parametrize("model_type", REPORTS)
@pytest.mark.parametrize(
    ("status", "final", "failed"), [(1, False, False), ("2", True, False), (3, True, True), (9, False, False)]
)
def test_a_status_says_whether_a_report_is_over(model_type: type[Any], status: Any, final: bool, failed: bool) -> None:
    report, _ = make(model_type, {**samples.SEARCH, "status": status})
    assert (report.status, report.is_final, report.is_failed) == (ReportStatus(int(status)), final, failed)
    assert type(report) is model_type


def test_a_report_whose_status_cannot_be_read_is_refused() -> None:
    with pytest.raises(DecodeError) as caught:
        make(ContactSearch, {"id": 1, "status": "done"})
    assert caught.value.path == "$.payload.status"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "total", "active"),
    [
        ({"metadata": {"error": False, "total": samples.COUNT_TOTAL}, "payload": samples.COUNT}, 917655, 743895),
        ({"metadata": {"error": False, "total": 917655}, "payload": samples.COUNT}, 917655, 743895),
        ({"metadata": {"error": False, "total": "0"}, "payload": []}, 0, None),
        ({"metadata": {"error": False, "total": None}, "payload": []}, None, None),
        ({"metadata": {"error": False}, "payload": None}, None, None),
        ({"metadata": {"error": False}, "payload": {"total": "5", "active": "5"}}, 5, 5),
    ],
)
async def test_a_counts_total_is_found_wherever_it_stands(body: Any, total: int | None, active: int | None) -> None:
    count = await ContactCounts(Canned(body)).get(7)
    assert (count.id, count.total, count.active, count.is_final) == (7, total, active, total is not None)


@pytest.mark.anyio
async def test_a_count_is_made_from_an_answer_without_metadata() -> None:
    caller = Canned({"id": 1112223334})
    made = await ContactCounts(caller).create(segment_id=1234567890)
    assert (made.id, caller.sent[0].body) == (1112223334, b'{"segment_id":1234567890}')


@pytest.mark.anyio
async def test_the_vendors_example_of_a_suppression_is_sent_and_read() -> None:
    caller = Canned({"metadata": {"error": False}, "payload": samples.SUPPRESSION})
    result = await Suppression(caller).update(1, samples.SUPPRESSION_ASKED["emails"])
    assert (caller.sent[0].method, caller.sent[0].url_path) == ("PUT", "/api/suppression")
    assert json.loads(caller.sent[0].body or b"") == samples.SUPPRESSION_ASKED
    assert (result.rows, result.success) == (3, 3)


@pytest.mark.anyio
async def test_rows_of_a_server_that_ignores_the_offset_come_to_an_end() -> None:
    for rows in ([{"email": "a@b.c"}, {"email": "d@e.f"}], [{"country": "Chile"}, {"country": "Chile"}]):
        caller = Canned({"metadata": {"error": False}, "payload": rows})
        found = [row async for row in ContactSearches(caller).rows(7, page_size=2)]
        assert (len(found), len(caller.sent)) == (2, 2)


# --- anything at all

keys = st.sampled_from(
    sorted(
        {a.metadata.get("wire_key") or a.name for m in MODELS for a in attrs.fields(m)} | {"ocx_x", "new", "payload"}
    )
)
odd = st.sampled_from(["0", "1", "2", "", "true", "[]", "{}", '{"a":1}', "1e999", "-5", "nan", "1_0", "²", "a@b.c"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=8),
    max_leaves=25,
)


@settings(deadline=None)
@given(st.sampled_from(MODELS), json_values)
def test_any_json_gives_a_model_or_a_decode_error(model_type: type[Any], payload: Any) -> None:
    try:
        model, _ = make(model_type, payload)
    except DecodeError as error:
        if not error.path.startswith("$.payload"):
            pytest.fail(f"no place: {error.path}")
        return
    assert pickle.loads(pickle.dumps(model)) == model
    repr(model)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(MODELS), st.dictionaries(keys | st.text(max_size=4), json_values, max_size=12))
def test_nothing_that_came_is_lost(model_type: type[Any], payload: dict[str, Any]) -> None:
    payload = {**payload, "id": 7}
    try:
        model, drifts = make(model_type, payload)
    except DecodeError:
        return
    attributes = {a.metadata.get("wire_key") or a.name: a.name for a in attrs.fields(model_type)}
    own = {"extra"} | ({"fields"} if model_type is ContactResult else set())
    for key, value in payload.items():
        if key in attributes and key not in own and key not in model.extra:
            told = getattr(model, attributes[key])
            assert told not in (None, ()) or value in (None, False, 0, "", "0", [], {}) or not str(value).strip("0. -")
        else:
            kept = model.extra if key in model.extra else model.fields
            assert kept[key] == value
    nested = {key for rule in getattr(model, "rules", ()) for key in rule.extra}
    assert {drift.field for drift in drifts if drift.kind == "field"} <= {
        mask(key) for key in nested | set(model.extra)
    }


@settings(deadline=None)
@given(json_values, json_values)
@pytest.mark.parametrize("family", [ContactCounts, ContactSearches])
def test_any_answer_to_a_get_is_a_snapshot_or_an_error_of_ours(family: Any, metadata: Any, payload: Any) -> None:
    import anyio

    from ongage_async import OngageError

    caller = Canned({"metadata": metadata, "payload": payload})
    try:
        got = anyio.run(lambda: family(caller).get(7))
    except OngageError:
        return
    assert isinstance(got.id, int)


def test_operations_are_named_by_their_family_and_verb() -> None:
    from ongage_async.resources import (
        aggregate_activity,
        contact_activity,
        contact_counts,
        contact_search,
        exports,
        segments,
        suppression,
    )

    modules = [aggregate_activity, contact_activity, contact_counts, contact_search, exports, segments, suppression]
    for module in modules:
        family = module.__name__.rpartition(".")[2]
        operations = [value for value in vars(module).values() if isinstance(value, Operation)]
        assert operations
        for operation in operations:
            assert operation.name.startswith(f"{family}.")
            assert operation.repeat is Repeat.SAFE or operation.method == "POST"
