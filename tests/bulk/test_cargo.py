"""What goes in one call: rows in parallel lists, cut and merged without losing one; and the JSON that columns make."""

import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async import InvalidInputError
from ongage_async._operation import Encoded, Operation, Repeat
from ongage_async._wire import render
from ongage_async.bulk.many._batch import Batch
from ongage_async.bulk.many._cargo import Cargo, Settled
from ongage_async.bulk.many._intake import Singles, as_json
from ongage_async.bulk.sources._contacts import ContactTable
from ongage_async.bulk.sources._lot import Lot
from ongage_async.models import NewContact, RowKind
from tests.bulk import streams


def lot(*emails: str, faults: dict[int, str] | None = None) -> Lot:
    contacts = [NewContact(email, {"n": str(at)}) for at, email in enumerate(emails)]
    return Lot(
        contacts, [contact.key for contact in contacts], [as_json(contact) for contact in contacts], faults or {}
    )


def cargo() -> Cargo:
    return Cargo(Singles.contact, as_json)


@given(st.lists(st.booleans(), max_size=20), st.integers(0, 25))
def test_a_lot_that_is_cut_has_all_its_rows_and_their_faults(bad: list[bool], at: int):
    whole = lot(*(f"c{number}@doe.com" for number in range(len(bad))))
    whole = Lot(
        whole.rows, whole.keys, whole.bodies, {number: str(number) for number, is_bad in enumerate(bad) if is_bad}
    )
    parts = [whole.head(at), *filter(None, [whole.behind(at)])]
    assert [row for part in parts for row in part.rows] == whole.rows
    assert [key for part in parts for key in part.keys] == whole.keys
    assert [number in part.faults for part in parts for number in range(len(part))] == bad
    assert [digest for part in parts for digest in part.encoded()] == list(whole.encoded())


def test_a_lot_with_an_address_that_is_there_already_is_not_taken_and_leaves_nothing_behind():
    load = cargo()
    assert load.take(lot("a@doe.com", "b@doe.com"), 0)
    for again in (lot("c@doe.com", "B@doe.com"), lot("c@doe.com", "C@doe.com")):
        assert not load.take(again, 2)
        assert (list(load.keys), load.places) == (["a@doe.com", "b@doe.com"], [0, 1])
    assert load.take(lot("c@doe.com"), 2)
    assert load.keys == {"a@doe.com": 0, "b@doe.com": 1, "c@doe.com": 2}


def test_rows_of_one_address_are_one_body_and_can_be_parted_again():
    load = cargo()
    rows = [NewContact("a@doe.com", {"x": "1"}), NewContact("b@doe.com"), NewContact("A@doe.com", {"y": "2"})]
    assert all(load.add(place, row.key, row, as_json(row)) for place, row in enumerate(rows))
    assert [json.loads(body)["fields"] for body in load.bodies] == [{"x": "1", "y": "2"}, {}]
    assert (load.places, load.places_at(0), load.places_at(1)) == ([2, 1], [0, 2], [1])
    part = load.part([0])
    assert (part.keys, part.places_at(0)) == ({"a@doe.com": 0}, [0, 2])
    assert [(single.places, json.loads(single.bodies[0])["fields"]) for single in part.single(0)] == [
        ([0], {"x": "1"}),
        ([2], {"y": "2"}),
    ]
    told = Settled(load, [(RowKind.CREATED, "7f", None), (RowKind.REJECTED, None, "no")])
    assert {(row.index, row.email, row.kind) for row in told.outcomes()} == {
        (0, "a@doe.com", RowKind.DUPLICATE),
        (2, "A@doe.com", RowKind.CREATED),
        (1, "b@doe.com", RowKind.REJECTED),
    }
    assert [row.index for row in told.outcomes(RowKind.REJECTED)] == [1]


def test_a_row_that_does_not_overwrite_stays_out_of_a_cargo_with_its_address():
    load = cargo()
    never = NewContact("a@doe.com", overwrite=False)
    assert load.add(0, never.key, never, as_json(never))
    assert not load.add(1, "a@doe.com", NewContact("a@doe.com"), "")
    assert (len(load), load.shared) == (1, {})


def test_a_call_that_is_larger_than_calls_may_be_by_now_takes_no_more_and_no_bad_row():
    """While rows are read, other calls may be refused as too large: then there is less than no room in this one."""
    batch = Batch(0, cargo())
    assert batch.take(lot(*(f"c{number}@doe.com" for number in range(40))), 50, 1 << 20) == 40
    more = lot(*(f"d{number}@doe.com" for number in range(200)), faults={150: "email: empty"})
    assert batch.take(more, 25, 1 << 20) == 0
    assert (len(batch.cargo), batch.rows, batch.unfit) == (40, 40, [])


# --- the JSON that columns make

cell = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\n"), max_size=6)
cells = st.one_of(cell, st.sampled_from(["", " ", '"', "\\", "a\tb", "\x1f", "\u2028", "100%", "{x}"]))


@settings(max_examples=80, deadline=None)
@given(
    names=st.lists(cell.map(lambda name: f"f{name.strip()}"), min_size=0, max_size=4, unique=True),
    data=st.data(),
    backend=st.sampled_from(["asyncio", "trio"]),
)
def test_a_row_of_a_table_is_sent_as_the_contact_that_it_is(names: list[str], data: st.DataObject, backend: str):
    """By columns and one by one: the same JSON, whatever stands in the cells and in the header."""
    width = st.lists(cells, min_size=len(names), max_size=len(names))
    given_rows = data.draw(st.lists(width, min_size=1, max_size=8))
    text = io.StringIO()
    csv.writer(text).writerows([["email", *names], *([f"C{n}@doe.com", *row] for n, row in enumerate(given_rows))])

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "contacts.csv"
            path.write_text(text.getvalue(), "utf-8", newline="")
            table = ContactTable(path, delimiter=",")
            read = await table.take(100, 0)
            await table.aclose()
        assert read is not None
        contacts = [table.contact(row) for row in read.rows]
        assert [as_json(contact) for contact in contacts if contact] == read.bodies
        assert [contact.key for contact in contacts if contact] == read.keys
        assert [contact.fields for contact in contacts if contact] == [
            {name: value.strip() or None for name, value in zip(names, row, strict=True)} for row in given_rows
        ]

    streams.run(backend, main)


def test_a_body_that_is_written_already_is_sent_as_it_is():
    create = Operation("contacts.create", "POST", "/api/v2/contacts", Repeat.SAFE)
    request = render(create, body=Encoded(b'{"email":"a@doe.com"}'), list_id=7)
    assert (request.body, request.headers) == (b'{"email":"a@doe.com"}', {"content-type": "application/json"})
    with pytest.raises(InvalidInputError):
        render(create, body=b"bytes that nobody vouches for")


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_one_row_that_json_cannot_hold_is_refused_alone_where_many_share_a_call():
    inside = streams.emulator()
    async with streams.client(inside) as ongage, ongage.contacts.coalesced(max_rows=2) as contacts:
        for value in (float("nan"), "half a character: \ud800", {1}):
            with pytest.raises(InvalidInputError, match="JSON cannot hold"):
                await contacts.upsert({"email": "a@doe.com", "first_name": value})
        assert (await contacts.upsert({"email": "b@doe.com"})).kind is RowKind.CREATED
    assert contacts.calls == inside.witness.count("contacts.create") == 1
