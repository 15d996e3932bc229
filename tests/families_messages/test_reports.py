"""Reports: the question on the wire, rows under every reading, pages, and frames."""

import datetime as dt
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async import ConfigurationError, DecodeError, InvalidInputError, OngageClient
from ongage_async.emulator import Emulator, Fault, Readings
from ongage_async.models import ReportField, ReportQuery
from tests.client.conftest import TRUST, Wire
from tests.client.variants import readings_of, variants
from tests.support import client_of

pytestmark = pytest.mark.anyio

F = ReportField
DAY = dt.date(2026, 1, 2)


@pytest.fixture(params=variants(report_keys=["expression"]))
def readings(request: pytest.FixtureRequest) -> Readings:
    return readings_of(request)


@pytest.fixture
def stats(emulator: Emulator, home: int) -> list[dict[str, Any]]:
    """Three days of two mailings, ten messages more each day."""
    first = int(dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp())
    rows = [
        {
            "mailing_id": mailing,
            "mailing_name": f"m{mailing}",
            "list_id": home,
            "stats_date": first + day * 86400,
            "sent": mailing * (10 + 10 * day),
            "success": mailing * 10,
        }
        for mailing in (1, 2)
        for day in range(3)
    ]
    emulator.state.messages.stats[:] = rows
    return rows


async def test_a_question_is_sent_as_the_vendor_wants_it(ongage: OngageClient, wire: Wire, stats: Any):
    rows = await ongage.reports.query(
        ["mailing_name", F("sent").sum(), ("max(`success`)", "best"), F("mailing_id").count("days")],
        group=["mailing_name"],
        where=[F("stats_date").at_least(DAY), ["mailing_id", "!=", 3]],
        order=[F("sent").sum().descending(), "mailing_name"],
        list_ids="all",
        time_zone="UTC",
        calculate_rates=False,
        extra={"x": 1},
    ).all()
    assert wire.last.line == "POST /api/reports/query"
    assert wire.last.body == {
        "select": [
            "mailing_name",
            ["sum(`sent`)", "sent"],
            ["max(`success`)", "best"],
            ["count(`mailing_id`)", "days"],
        ],
        "from": "mailing",
        "group": ["mailing_name"],
        "order": [["sent", "DESC"], "mailing_name"],
        "filter": [["stats_date", ">=", "2026-01-02"], ["mailing_id", "!=", 3]],
        "list_ids": "all",
        "time_zone": "UTC",
        "calculate_rates": False,
        "x": 1,
    }
    own = [{key: row[key] for key in ("mailing_name", "sent", "days")} for row in rows]
    assert {row["mailing_name"]: (row["sent"], row["days"]) for row in own} == {"m1": (50, 2), "m2": (100, 2)}


async def test_rows_are_grouped_by_periods_and_have_rates(ongage: OngageClient, stats: Any, wire: Wire):
    query = ReportQuery(
        select=[F("stats_date"), F("sent").sum()],
        group=[F("stats_date").by("day")],
        where=[F("stats_date").above(0)],
        order=[F("stats_date").ascending()],
    )
    rows = [row async for row in ongage.reports.query(query)]
    assert wire.last.body["group"] == [["stats_date", "day"]]
    assert [(row["stats_date"], row["sent"]) for row in rows] == [
        ("2026-01-01", 30),
        ("2026-01-02", 60),
        ("2026-01-03", 90),
    ]


async def test_a_list_is_named_by_the_route_or_by_list_ids_never_both(emulator: Emulator, wire: Wire, stats: Any):
    other = emulator.state.add_list("other").id
    async with client_of(emulator, ssl_context=TRUST, list_id=other) as ongage:
        where = [F("stats_date").above(0)]
        assert await ongage.reports.query(["sent"], where=where).all() == []
        assert (wire.last.line, "list_ids" in wire.last.body) == (f"POST /{other}/api/reports/query", False)
        ids = [emulator.default_list_id, other]
        assert len(await ongage.reports.query(["sent"], where=where, list_ids=ids).all()) == 6
        assert (wire.last.line, wire.last.body["list_ids"]) == ("POST /api/reports/query", ids)
        assert len(await ongage.reports.query(["active", "list_id"], source="list", list_ids="all").all()) == 2


async def test_without_a_date_the_last_month_only(ongage: OngageClient, messages: Any, stats: Any, own_list: Any):
    own_list.add_contact("john@doe.com")
    await ongage.mailings.create("new", launch="now", email_message=27)
    rows = await ongage.reports.query(["mailing_name", "sent"]).all()
    assert rows == [{"mailing_name": "new", "sent": 1}]


@pytest.mark.parametrize(("page_size", "offsets"), [(None, [None]), (4, [0, 4, 6]), (3, [0, 3, 6]), (100, [0, 6])])
async def test_pages_bring_each_row_once(
    ongage: OngageClient, wire: Wire, stats: Any, page_size: int | None, offsets: list[int | None]
):
    rows = ongage.reports.query(["mailing_id", "sent"], where=[F("stats_date").above(0)], page_size=page_size)
    assert wire.sent == []
    assert len(await rows.all()) == 6
    assert [sent.body.get("offset") for sent in wire.sent] == offsets
    assert {sent.body.get("limit") for sent in wire.sent} == {page_size}


async def test_a_server_that_ignores_the_offset_does_not_hold_us_for_ever(
    ongage: OngageClient, emulator: Emulator, wire: Wire
):
    body = {"metadata": {"error": False}, "payload": [{"sent": "1"}, {"sent": "2"}]}
    emulator.faults.add("reports.query", Fault.status(200, body), times=99)
    assert [row["sent"] async for row in ongage.reports.query([F("sent").sum()], page_size=2)] == [1, 2]
    assert len(wire.sent) == 2


async def test_one_field_comes_as_an_array(ongage: OngageClient, wire: Wire, stats: Any):
    values = await ongage.reports.values("mailing_id", ["mailing_id"], where=[F("stats_date").above(0)])
    assert wire.last.body["value"] == "mailing_id"
    assert values == (1, 1, 1, 2, 2, 2)


@pytest.mark.parametrize("payload", ["rows", {"a": 1}, 7, [7], [[1]]])
async def test_an_answer_without_rows_cannot_be_read(ongage: OngageClient, emulator: Emulator, payload: Any):
    emulator.faults.add("reports.query", Fault.status(200, {"metadata": {}, "payload": payload}), times=1)
    with pytest.raises(DecodeError) as caught:
        await ongage.reports.query(["sent"]).all()
    assert caught.value.path.startswith("$.payload")


async def test_an_array_with_gaps_and_an_empty_answer_are_read(ongage: OngageClient, emulator: Emulator):
    for payload, size in (({"0": {"a": 1}, "2": {"a": 2}}, 2), ([], 0), (None, 0), ({}, 0)):
        emulator.faults.add("reports.query", Fault.status(200, {"metadata": {}, "payload": payload}), times=1)
        assert len(await ongage.reports.query(["a"]).all()) == size


@pytest.mark.parametrize(
    "wrong",
    [
        {"select": []},
        {"select": "sent"},
        {"select": [7]},
        {"select": [("a", "b", "c")]},
        {"select": ["a"], "where": ["sent > 1"]},
        {"select": ["a"], "where": [["sent", ">"]]},
        {"select": ["a"], "where": [F("stats_date").above(dt.datetime(2026, 1, 1))]},  # noqa: DTZ001
        {"select": ["a"], "list_ids": "1,2"},
        {"select": ["a"], "page_size": 0},
    ],
)
async def test_a_question_that_is_none_is_refused_at_once(ongage: OngageClient, wire: Wire, wrong: dict[str, Any]):
    with pytest.raises(InvalidInputError):
        ongage.reports.query(**wrong)
    assert wire.sent == []


def test_a_fields_name_and_period_are_checked():
    with pytest.raises(InvalidInputError):
        F("sum(`sent`)")
    with pytest.raises(InvalidInputError):
        F("stats_date").by("hour")  # type: ignore[arg-type]


def test_all_conditions_have_a_name():
    field = F("sent")
    asked = [
        field.equals(1),
        field.differs(1),
        field.above(1),
        field.at_least(1),
        field.below(1),
        field.at_most((1, 2)),
    ]
    assert [one.to_wire()[1:] for one in asked] == [
        ["=", 1],
        ["!=", 1],
        [">", 1],
        [">=", 1],
        ["<", 1],
        ["<=", [1, 2]],
    ]
    at = F("stats_date").above(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert at.to_wire() == ["stats_date", ">", 1767225600]
    assert [field.min().key, field.max().key, field.ascending().to_wire()] == ["sent_min", "sent_max", ["sent", "ASC"]]


# --- frames


@pytest.mark.parametrize("library", ["polars", "pandas"])
async def test_a_report_becomes_a_frame_of_numbers(ongage: OngageClient, emulator: Emulator, library: Any):
    """The whole way: sums are text on the wire and numbers in the frame, and no rows are still all columns."""
    now, messages = emulator.state.clock.unix(), emulator.state.messages
    row = {"list_id": emulator.default_list_id, "stats_date": now}
    messages.stats = [{**row, "mailing_id": 1, "sent": 5}, {**row, "mailing_id": 2, "sent": 7}]
    columns, group = ["mailing_id", F("sent").sum()], ["mailing_id"]
    frame = await ongage.reports.query(columns, group=group).frame(library)
    assert {name: list(frame[name]) for name in frame.columns} == {"mailing_id": [1, 2], "sent": [5, 7]}
    pairs = await ongage.reports.query([("sum(`sent`)", "all_sent")]).frame(library)
    assert {name: list(pairs[name]) for name in pairs.columns} == {"all_sent": [12]}
    messages.stats = []
    empty = await ongage.reports.query(columns, group=group).frame(library)
    assert (list(empty.columns), len(empty)) == (["mailing_id", "sent"], 0)


async def test_a_frame_without_a_library_is_refused_kindly(
    ongage: OngageClient, wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    for name in ("polars", "pandas"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match="pip install polars"):
        await ongage.reports.query(["sent"]).frame()
    with pytest.raises(ConfigurationError, match="pip install pandas"):
        await ongage.reports.query(["sent"]).frame("pandas")
    with pytest.raises(InvalidInputError):
        await ongage.reports.query(["sent"]).frame("arrow")  # type: ignore[arg-type]
    assert wire.sent == []


@given(
    st.dictionaries(
        st.sampled_from(["sent", "sum(`sent`)", "SUM(sent)", "x"]),
        st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["12", "-1.5", "12%", "²", "1e5"]),
        max_size=4,
    )
)
def test_no_value_of_a_row_is_lost(row: dict[str, Any]) -> None:
    read = ReportQuery(select=[F("sent").sum()]).row(row)
    assert sorted(map(str, read.values())) == sorted(
        str(read.get("sent") if key in told else value) for key, value, told in _told(row)
    )
    assert len(read) == len(row)


def _told(row: dict[str, Any]) -> Any:
    """Yield each entry, with the keys that are taken for the column: its alias, else the last spelling of it."""
    spellings = [key for key in row if key.lower().replace("`", "") == "sum(sent)"]
    taken = ["sent"] if "sent" in row else spellings[-1:]
    for key, value in row.items():
        yield key, value, taken
