"""Any number of subscribers: cut into calls, streamed, and every row accounted for."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import polars
import pytest

from ongage_async import AuthenticationError, ConfigurationError, CSVError, NotFoundError, OwnpageClient, RetryPolicy
from ongage_async.emulator import Fault
from ongage_async.emulator.ownpage import OwnpageEmulator
from ongage_async.errors import InvalidInputError, Outcome
from tests.client.conftest import Wire
from tests.ownpage.conftest import client_of

pytestmark = pytest.mark.anyio


def rows(count: int) -> Iterator[dict[str, Any]]:
    return ({"email": f"s{n}@doe.fr", "data_n": n} for n in range(count))


async def test_fifty_thousand_rows_are_cut_into_calls_of_twenty_thousand(
    ownpage: OwnpageClient, wire: Wire, own_list: Any
):
    report = await ownpage.subscribers.upsert_many(rows(50_000))
    sizes = sorted(len(sent.body) for sent in wire.sent if sent.path.endswith("subscribers"))
    assert sizes == [10_000, 20_000, 20_000]
    assert [(call.first_row, call.last_row, call.rows) for call in report.calls] == [
        (1, 20_000, 20_000),
        (20_001, 40_000, 20_000),
        (40_001, 50_000, 10_000),
    ]
    assert (report.rows_read, report.rows_done, report.adds_up, report.is_complete) == (50_000, 50_000, True, True)
    assert report.total("nb_created") == len(own_list.subscribers) == 50_000
    assert own_list.get("s49999@doe.fr").data == {"data_n": 49_999}


async def test_rows_are_taken_as_they_are_needed(ownpage: OwnpageClient, emulator: OwnpageEmulator, own_list: Any):
    """No more than what is on its way, and the next call, is ever taken out of the source ahead of its time."""
    ahead: list[int] = []

    async def source() -> AsyncIterator[dict[str, Any]]:
        for number, row in enumerate(rows(1_000), 1):
            ahead.append(number - len(own_list.subscribers))
            yield row

    report = await ownpage.subscribers.upsert_many(source(), per_call=10, in_parallel=2)
    assert (len(report.calls), report.is_complete) == (100, True)
    assert max(ahead) <= 10 * 3 + 1
    assert emulator.witness.worst_open() <= 2


async def test_a_row_that_cannot_be_sent_is_rejected_alone(ownpage: OwnpageClient, own_list: Any):
    given: list[Any] = [
        *rows(5),
        {"email": "planted at doe.fr"},
        {"email": "x@doe.fr", "subscribed": "no"},
        7,
        *rows(6),
    ]
    report = await ownpage.subscribers.upsert_many(given, per_call=4)
    assert [rejected.row for rejected in report.rejected] == [6, 7, 8]
    assert report.rejected[0].reason == "row 6: `email` is not an address"
    assert (report.rows_read, report.rows_done, report.rows_rejected, report.adds_up) == (14, 11, 3, True)
    assert not report.is_complete
    assert len(own_list.subscribers) == 6
    assert "14 rows read = 11 done + 0 refused + 0 unknown + 3 rejected, in 3 calls" in report.as_text()


async def test_a_call_that_is_refused_does_not_stop_the_others(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    emulator.faults.add("subscribers.create", Fault.status(400, {"status": 400, "cause": "no"}), skip=1, times=1)
    report = await ownpage.subscribers.upsert_many(rows(30), per_call=10, in_parallel=1)
    assert [call.is_done for call in report.calls] == [True, False, True]
    assert (report.rows_done, report.rows_refused, report.adds_up) == (20, 10, True)
    assert report.calls[1].error is not None
    assert report.calls[1].error.outcome is Outcome.REJECTED


async def test_a_lost_answer_is_repeated_for_upserts_and_never_for_deletions(emulator: OwnpageEmulator, own_list: Any):
    retry = RetryPolicy(connection_ladder_s=(0.01,))
    async with client_of(emulator, retry=retry) as ownpage:
        emulator.faults.add("subscribers.*", Fault.drop(after_execution=True), times=1)
        report = await ownpage.subscribers.upsert_many(rows(10))
        assert (report.rows_done, emulator.witness.count("subscribers.create")) == (10, 2)
        emulator.faults.add("subscribers.*", Fault.drop(after_execution=True), times=1)
        report = await ownpage.subscribers.delete_many((f"s{n}@doe.fr" for n in range(10)), per_call=5, in_parallel=1)
    assert (report.rows_unknown, report.rows_done, report.adds_up) == (5, 5, True)
    assert emulator.witness.count("subscribers.delete") == 2
    assert own_list.subscribers == {}


async def test_what_makes_all_further_calls_hopeless_is_raised_and_tells_how_far_it_came(
    ownpage: OwnpageClient, emulator: OwnpageEmulator
):
    with pytest.raises(NotFoundError) as missing:
        await ownpage.subscribers.upsert_many(rows(100), per_call=10, in_parallel=1, list_id=9)
    assert emulator.witness.count("subscribers.create") == 1
    assert "upsert_many, before it stopped: 10 rows read = 0 done + 10 refused" in missing.value.__notes__[-1]
    emulator.faults.add("subscribers.create", Fault.status(401), skip=1)
    with pytest.raises(AuthenticationError):
        await ownpage.subscribers.upsert_many(rows(100), per_call=10, in_parallel=1)


async def test_an_error_of_the_source_is_raised_as_it_is_after_the_open_calls(ownpage: OwnpageClient, own_list: Any):
    def broken() -> Iterator[dict[str, Any]]:
        yield from rows(25)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        await ownpage.subscribers.upsert_many(broken(), per_call=10)
    assert "25 rows read = 25 done" in caught.value.__notes__[0]
    assert len(own_list.subscribers) == 25


async def test_nothing_to_send_is_nothing_sent(ownpage: OwnpageClient, wire: Wire):
    report = await ownpage.subscribers.upsert_many([])
    assert (report.rows_read, report.calls, report.adds_up, wire.sent) == (0, (), True, [])
    for wrong in ({"per_call": 20_001}, {"per_call": 0}, {"in_parallel": 0}):
        with pytest.raises(InvalidInputError):
            await ownpage.subscribers.upsert_many(rows(1), **wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError):
        await ownpage.subscribers.delete_many("a@doe.fr")


TABLE = (
    "Mail;subscribed;guid;Ville;Notes\nann@doe.fr;oui;1;Paris;x\nbob@doe.fr;nope;2;;x\neve@doe.fr;NON;;Nice;x\nfay\n"
)


async def test_a_table_is_read_by_the_contract_of_files(ownpage: OwnpageClient, own_list: Any, tmp_path: Path):
    """A cell that is no flag must not become a subscription; an empty one changes nothing."""
    path = tmp_path / "people.csv"
    await anyio.Path(path).write_text(TABLE)
    named = {"Ville": "data_city", "Notes": None}
    report = await ownpage.subscribers.upsert_many(path, mapping=named)
    found = {each.email: (each.subscribed, each.data) for each in own_list.subscribers.values()}
    assert found == {"ann@doe.fr": (True, {"data_city": "Paris"}), "eve@doe.fr": (False, {"data_city": "Nice"})}
    assert (report.rows_read, report.rows_done, report.rows_rejected, report.adds_up) == (4, 2, 2, True)
    assert [each.reason for each in report.rejected] == [
        "3: subscribed: not true or false",
        "5: too few cells",
    ]
    with pytest.raises(CSVError, match="Notes"):
        await ownpage.subscribers.upsert_many([path], mapping={"Ville": None})
    with pytest.raises(ConfigurationError, match="tables"):
        ownpage.subscribers.upsert_many([{"email": "ann@doe.fr"}], mapping=named)


async def test_a_data_frame_is_a_table(ownpage: OwnpageClient, own_list: Any):
    frame = polars.DataFrame({"email": ["ann@doe.fr", "bob@doe.fr"], "subscribed": [False, None], "age": [44, None]})
    report = await ownpage.subscribers.upsert_many(frame, unknown_columns="data")
    found = {each.email: (each.subscribed, each.data) for each in own_list.subscribers.values()}
    assert found == {"ann@doe.fr": (False, {"data_age": "44"}), "bob@doe.fr": (True, {})}
    assert report.is_complete


async def test_the_addresses_of_a_table_are_deleted_and_its_other_cells_do_not_matter(
    ownpage: OwnpageClient, own_list: Any, tmp_path: Path
):
    path = tmp_path / "gone.csv"
    rows = "ann@doe.fr;nope;x\n;;\nno one;;\neve@doe.fr;;y\nfay\n"
    await anyio.Path(path).write_text(f"Courriel;subscribed;Notes\n{rows}")
    frame = polars.DataFrame({"email": ["bob@doe.fr"], "n": [1]})
    people = [{"email": f"{name}@doe.fr"} for name in ("ann", "bob", "eve", "ida", "kim", "lou")]
    await ownpage.subscribers.create(people)
    for table in (path, [path], str(path)):
        report = await ownpage.subscribers.delete_many(table, mapping={"Courriel": "email"})
        assert (report.rows_read, report.rows_done, report.rows_rejected, report.adds_up) == (5, 2, 3, True)
        assert [each.row for each in report.rejected] == [2, 3, 5]
        assert report.rejected[2].reason == "6: too few cells"
    assert (await ownpage.subscribers.delete_many(frame)).rows_done == 1
    assert sorted(each.email[:3] for each in own_list.subscribers.values()) == ["ida", "kim", "lou"]
    assert (await ownpage.subscribers.delete_many(["ida@doe.fr", "kim@doe.fr"])).rows_done == 2
    assert [each.email for each in own_list.subscribers.values()] == ["lou@doe.fr"]
    with pytest.raises(InvalidInputError, match="even for one"):
        ownpage.subscribers.delete_many("lou@doe.fr")
    with pytest.raises(ConfigurationError, match="addresses"):
        ownpage.subscribers.delete_many(["lou@doe.fr"], mapping={"Courriel": "email"})
