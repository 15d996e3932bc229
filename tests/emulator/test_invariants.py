"""What must hold whatever happens: the limits, the store of contacts, the turnstile."""

import asyncio

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ongage_async.emulator import Readings, worst_window
from ongage_async.emulator._contacts import STATUS_CHANGES, ContactBook
from ongage_async.emulator._limits import Gate
from ongage_async.emulator._turnstile import Turnstile

ARRIVALS = st.lists(st.integers(0, 300), max_size=60).map(sorted)


def admitted(gate, arrivals):
    async def enter_all():
        return [at for at in arrivals if await gate.enter(float(at)) is None]

    return asyncio.run(enter_all())


@given(ARRIVALS, st.integers(1, 5))
def test_a_sliding_window_admits_as_many_as_a_naive_one(arrivals, calls):
    naive = []
    for at in arrivals:
        if sum(at - 60 < each <= at for each in naive) < calls:
            naive.append(at)
    found = admitted(Gate(Readings(window="sliding"), calls, 60.0, None), arrivals)
    assert found == naive
    assert worst_window(found, 60.0) <= calls


@given(ARRIVALS, st.integers(1, 5))
def test_a_fixed_window_admits_the_first_of_each_minute(arrivals, calls):
    naive = []
    for at in arrivals:
        if sum(each // 60 == at // 60 for each in naive) < calls:
            naive.append(at)
    assert admitted(Gate(Readings(window="fixed"), calls, 60.0, None), arrivals) == naive


EMAILS = st.sampled_from(["a@b.de", "b@b.de", "c@b.de"])


class BookMachine(RuleBasedStateMachine):
    """Compare the book with dictionaries."""

    def __init__(self):
        super().__init__()
        self.book = ContactBook(7)
        self.model = {}

    @rule(email=EMAILS, value=st.integers(), name=st.sampled_from(["x", "y", "z"]))
    def write(self, email, name, value):
        contact = self.book.get(email)
        if contact is None:
            contact = self.book.add(email, {name: value}, created=5)
            self.model[email] = {"id": contact.id, "values": {}, "status": "Active", "deleted": False}
        else:
            self.book.write(contact, {name: value})
        self.model[email]["values"][name] = value

    @rule(email=EMAILS, change_to=st.sampled_from(STATUS_CHANGES))
    def change_status(self, email, change_to):
        contact = self.book.get(email)
        if contact is None:
            return
        self.book.change_status(contact, change_to, 9)
        known = self.model[email]
        if change_to == "remove":
            del self.model[email]
        elif change_to == "resubscribe":
            known.update(status="Active", deleted=False)
        elif change_to != "soft_bounce":
            known["status"] = {"unsubscribe": "Unsubscribed", "bounce": "Bounced"}.get(change_to, "Complaint")

    @rule(email=EMAILS)
    def delete(self, email):
        contact = self.book.get(email)
        if contact is not None:
            contact.deleted = True
            self.book.put(contact)
            self.model[email]["deleted"] = True

    @rule(email=EMAILS, new=EMAILS)
    def rename(self, email, new):
        contact = self.book.get(email)
        if contact is not None and new not in self.model:
            self.book.rename(contact, new)
            self.model[new] = self.model.pop(email)

    @rule(name=st.sampled_from(["x", "y"]))
    def drop_column(self, name):
        self.book.drop_column(name)
        for known in self.model.values():
            known["values"].pop(name, None)

    @rule()
    def rename_column(self):
        self.book.drop_column("z")
        self.book.rename_column("x", "z")
        for known in self.model.values():
            known["values"].pop("z", None)
            if "x" in known["values"]:
                known["values"]["z"] = known["values"].pop("x")

    @invariant()
    def agrees(self):
        for email, known in self.model.items():
            contact = self.book.get(email)
            assert (contact.id, contact.status, contact.deleted) == (known["id"], known["status"], known["deleted"])
            assert {name: self.book.read(contact, name) for name in known["values"]} == known["values"]
            assert self.book.by_id(known["id"]).email == email
        live = [known for known in self.model.values() if not known["deleted"]]
        assert len(self.book) == len(live) == len(list(self.book))
        assert self.book.active == sum(known["status"] == "Active" for known in live)


TestBook = BookMachine.TestCase


@pytest.mark.anyio
async def test_a_cancelled_waiter_gives_its_place_back():
    turnstile, entered = Turnstile(), []

    async def pass_through(name):
        await turnstile.enter(1)
        entered.append(name)

    await turnstile.enter(1)
    async with anyio.create_task_group() as group:
        with anyio.move_on_after(1.0):
            await turnstile.enter(1)
        group.start_soon(pass_through, "second")
        await anyio.sleep(1.0)
        turnstile.leave()
    assert (entered, turnstile.inside) == (["second"], 1)
    turnstile.leave()
    assert turnstile.inside == 0


@pytest.mark.anyio
async def test_a_waiter_cancelled_in_the_moment_of_its_turn_hands_it_on():
    turnstile, entered = Turnstile(), []

    async def wait_in_line():
        await turnstile.enter(1)
        entered.append(True)

    await turnstile.enter(1)
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(wait_in_line)
            await anyio.sleep(1.0)
            turnstile.leave()
            scope.cancel()
    assert turnstile.inside == len(entered)
