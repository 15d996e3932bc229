"""The exam of outbox stores: the same questions to SQLite and to Redis, without a sender."""

import json
import threading
import time

import pytest

from ongage_async._operation import Repeat
from ongage_async.config import Lane
from ongage_async.errors import InvalidInputError
from ongage_async.outbox import Status
from tests.outbox.exam import ALIVE_S, Exam, call, passed

ALL = {Lane.URGENT: 100, Lane.NORMAL: 100, Lane.BULK: 100}


def ids(entries: object) -> list[str]:
    return [entry.id for entry in entries]  # type: ignore[attr-defined]


def status(store: object, entry_id: str) -> Status:
    return store.get(entry_id).status  # type: ignore[attr-defined]


def test_what_is_put_is_there_as_it_was_put(exam: Exam):
    """Every word of an entry survives the store, for any process that asks."""
    arguments = json.dumps({"recipients": ["zoë@doe.com"], "message_id": 7, "text": "a\n'\"\\ \u2028 🎉"})
    entry = call("one", kind="transactional.send", arguments=arguments, lane=Lane.URGENT, tenant="shop 7", key="k ü")
    assert exam.open_one().put(entry) == "one"
    found = exam.open_one().get("one")
    assert (found.kind, found.lane, found.repeat, found.tenant, found.key, found.status, found.attempts) == (
        *("transactional.send", Lane.URGENT, Repeat.NEVER, "shop 7", "k ü", Status.QUEUED, 0),
    )
    assert found.arguments == json.loads(arguments)
    assert 0 <= found.age_s < 5
    assert (found.expires_in_s, found.reason, found.answer) == (None, None, None)


def test_what_is_not_there_is_not_there(exam: Exam):
    store = exam.open_one()
    assert store.get("nobody") is None
    assert store.decide("nobody", Status.DISCARDED) is False
    assert store.begin("nobody") is False


def test_first_come_first_served_in_each_lane(exam: Exam):
    """A lane's entries are taken in the order they were put, and one lane does not take another's room."""
    store = exam.open_one()
    for number in range(12):
        store.put(call(f"{number}", lane=Lane(number % 3)))
    taken = store.claim({Lane.URGENT: 2, Lane.BULK: 3})
    assert ids(taken) == ["0", "3", "2", "5", "8"]
    assert ids(store.claim(ALL)) == ["6", "9", "1", "4", "7", "10", "11"]


def test_an_entry_is_claimed_by_one_of_many(exam: Exam):
    """Eight senders that claim at the same moment share 200 entries without one in common."""
    first = exam.open_one(lease_s=60)
    for number in range(200):
        first.put(call(f"{number}"))
    senders = [exam.open_one(lease_s=60) for _ in range(8)]
    taken: list[list[str]] = []

    def take(store: object) -> None:
        mine: list[str] = []
        while got := ids(store.claim({Lane.NORMAL: 3})):  # type: ignore[attr-defined]
            mine += got
        taken.append(mine)

    threads = [threading.Thread(target=take, args=(store,)) for store in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    every = [entry for mine in taken for entry in mine]
    assert sorted(every, key=int) == [f"{number}" for number in range(200)]


def test_an_entry_goes_its_way(exam: Exam):
    store = exam.open_one()
    store.put(call("one"))
    [entry] = store.claim(ALL)
    assert (entry.status, status(store, "one")) == (Status.QUEUED, Status.QUEUED)
    assert store.begin("one") is True
    assert status(store, "one") is Status.SENDING
    store.settle("one", Status.SENT, answer={"payload": {"success": "1"}, "metadata": {}, "status": 200})
    found = store.get("one")
    assert (found.status, found.attempts, found.answer["payload"]) == (Status.SENT, 1, {"success": "1"})
    assert store.begin("one") is False
    assert store.claim(ALL) in ((), [])


def test_an_attempt_that_did_nothing_leaves_the_entry_ours(exam: Exam):
    """After a 429 it is queued again, nobody else takes it, and it can be begun anew."""
    store, other = exam.open_one(lease_s=60), exam.open_one(lease_s=60)
    store.put(call("one"))
    store.claim(ALL)
    store.begin("one")
    store.keep("one", "the account is paused")
    assert (status(store, "one"), store.get("one").reason) == (Status.QUEUED, "the account is paused")
    assert len(other.claim(ALL)) == 0
    assert store.begin("one") is True
    assert store.get("one").attempts == 2


def test_only_its_owner_may_send_or_settle_an_entry(exam: Exam):
    store, other = exam.open_one(lease_s=60), exam.open_one(lease_s=60)
    store.put(call("one"))
    assert store.begin("one") is False  # nobody's yet
    store.claim(ALL)
    other.put(call("theirs"))
    assert other.begin("one") is False
    store.begin("one")
    other.settle("one", Status.SENT)
    other.keep("one")
    assert status(store, "one") is Status.SENDING


def test_a_released_entry_is_free_at_once_and_first_in_line(exam: Exam):
    store, other = exam.open_one(lease_s=60), exam.open_one(lease_s=60)
    for name in ("one", "two", "three"):
        store.put(call(name))
    store.claim({Lane.NORMAL: 2})
    store.begin("two")
    store.release()
    assert ids(other.claim(ALL)) == ["one", "three"]
    assert status(store, "two") is Status.SENDING


def test_a_dead_senders_entries_are_taken_over(exam: Exam):
    """What waited is sent by another, what was on its way is uncertain, or queued if twice does no harm."""
    dead = exam.open_one()
    for name, repeat in {"waits": Repeat.NEVER, "never": Repeat.NEVER, "once": Repeat.IF_UNSENT}.items():
        dead.put(call(name, repeat=repeat))
    dead.put(call("safe", repeat=Repeat.SAFE))
    assert len(dead.claim(ALL)) == 4
    for name in ("never", "once", "safe"):
        dead.begin(name)
    exam.kill(dead)
    heir = exam.open_one()
    heir.sweep((), 60)
    assert sorted(ids(heir.claim(ALL))) == ["safe", "waits"]
    assert {name: status(heir, name) for name in ("waits", "never", "once", "safe")} == {
        "waits": Status.QUEUED,
        "never": Status.UNCERTAIN,
        "once": Status.UNCERTAIN,
        "safe": Status.QUEUED,
    }
    assert "died" in heir.get("never").reason
    assert heir.begin("safe") is True


def test_a_sender_that_lives_keeps_its_entries(exam: Exam):
    """However long it takes: it says that it lives, and nobody takes anything from it."""
    store, other = exam.open_one(lease_s=ALIVE_S), exam.open_one(lease_s=ALIVE_S)
    store.put(call("waits"))
    store.put(call("sends"))
    store.claim(ALL)
    store.begin("sends")
    for _ in passed(1.2 * ALIVE_S):
        store.sweep(("waits", "sends"), 60)
        other.sweep((), 60)
        assert len(other.claim(ALL)) == 0
    assert (status(other, "waits"), status(other, "sends")) == (Status.QUEUED, Status.SENDING)
    assert store.begin("waits") is True


def test_a_key_is_one_entry(exam: Exam):
    store = exam.open_one()
    assert [store.put(call(name, key="order 7")) for name in ("one", "two")] == ["one", "one"]
    assert exam.open_one().put(call("three", key="order 7")) == "one"
    assert store.put(call("four", key="order 8")) == "four"
    assert ids(store.page(None, 0, 10)) == ["one", "four"]


def test_a_key_of_another_call_is_refused(exam: Exam):
    """Else a message would be swallowed because somebody chose its key carelessly."""
    store = exam.open_one()
    store.put(call("one", key="order 7", arguments='{"a": 1}'))
    for other in ({"arguments": '{"a": 2}'}, {"arguments": '{"a": 1}', "kind": "contacts.delete"}):
        with pytest.raises(InvalidInputError, match="key"):
            store.put(call("two", key="order 7", **other))
    assert store.get("two") is None


def test_putting_the_same_entry_again_is_putting_it_once(exam: Exam):
    """So a put whose answer was lost is repeated without harm."""
    store = exam.open_one()
    assert [store.put(call("one")), store.put(call("one"))] == ["one", "one"]
    assert len(store.claim(ALL)) == 1


def test_what_is_late_is_not_sent(exam: Exam):
    """Neither from the queue, nor from a sender that has waited too long with it."""
    store = exam.open_one(lease_s=60)
    store.put(call("waits", expires_in_s=0.5))
    store.put(call("later", expires_in_s=60))
    assert 0 < store.get("later").expires_in_s <= 60
    store.put(call("claimed", expires_in_s=0.5, lane=Lane.URGENT))
    assert ids(store.claim({Lane.URGENT: 1})) == ["claimed"]
    for _ in passed(0.52):
        pass
    assert store.begin("claimed") is False
    store.sweep(("claimed",), 60)
    assert [status(store, name) for name in ("waits", "claimed")] == [Status.EXPIRED] * 2
    assert ids(store.claim(ALL)) == ["later"]
    assert store.begin("later") is True


def test_what_is_on_its_way_does_not_expire(exam: Exam):
    store = exam.open_one(lease_s=60)
    store.put(call("one", expires_in_s=0.5))
    store.claim(ALL)
    assert store.begin("one") is True
    for _ in passed(0.52):
        pass
    store.sweep(("one",), 60)
    assert status(store, "one") is Status.SENDING


def test_settled_entries_are_forgotten_and_others_are_not(exam: Exam):
    """Uncertain ones wait for a person however long it takes; a forgotten key may be used again."""
    store = exam.open_one(lease_s=60)
    for name in ("sent", "rejected", "uncertain", "waits", "discarded"):
        store.put(call(name, key=f"key of {name}"))
    store.claim({Lane.NORMAL: 3})
    for name in ("sent", "rejected", "uncertain"):
        store.begin(name)
        store.settle(name, Status(name), "why")
    store.decide("discarded", Status.DISCARDED)
    store.sweep((), 60)
    assert len(store.page(None, 0, 10)) == 5
    time.sleep(0.02)
    store.sweep((), 0.01)
    assert ids(store.page(None, 0, 10)) == ["uncertain", "waits"]
    assert store.put(call("again", key="key of sent")) == "again"
    assert store.put(call("third", key="key of waits")) == "waits"


def test_a_person_decides(exam: Exam):
    store = exam.open_one(lease_s=60)
    names = ("uncertain", "rejected", "sent", "sending")
    for name in names:
        store.put(call(name))
    store.claim(ALL)
    for name in names:
        store.begin(name)
        if name != "sending":
            store.settle(name, Status(name), "why", {"payload": None, "metadata": {}, "status": 200})
    assert [store.decide(name, Status.QUEUED) for name in names] == [True, True, False, False]
    assert [store.decide(name, Status.DISCARDED) for name in ("sent", "sending")] == [False, False]
    found = store.get("uncertain")
    assert (found.status, found.reason, found.answer) == (Status.QUEUED, None, None)
    assert store.decide("rejected", Status.DISCARDED) is True
    assert ids(store.claim(ALL)) == ["uncertain"]
    assert store.begin("uncertain") is True
    assert status(store, "rejected") is Status.DISCARDED
    assert store.decide("rejected", Status.QUEUED) is True  # he may change his mind


def test_a_discarded_entry_is_not_sent_by_whoever_waits_with_it(exam: Exam):
    store, person = exam.open_one(lease_s=60), exam.open_one(lease_s=60)
    store.put(call("one"))
    store.claim(ALL)
    assert person.decide("one", Status.DISCARDED) is True
    assert store.begin("one") is False
    assert status(store, "one") is Status.DISCARDED


def test_an_expired_entry_that_is_sent_again_has_no_limit_any_more(exam: Exam):
    store = exam.open_one(lease_s=60)
    store.put(call("one", expires_in_s=0.005))
    time.sleep(0.01)
    store.sweep((), 60)
    assert status(store, "one") is Status.EXPIRED
    assert store.decide("one", Status.QUEUED) is True
    store.sweep((), 60)
    assert ids(store.claim(ALL)) == ["one"]
    assert store.begin("one") is True


def test_entries_are_counted_and_paged(exam: Exam):
    store = exam.open_one(lease_s=60)
    assert store.statistics().queued == store.statistics().oldest_queued_s == 0
    for number in range(7):
        store.put(call(f"{number}"))
    store.claim({Lane.NORMAL: 3})
    for name in ("0", "1", "2"):
        store.begin(name)
    store.settle("0", Status.SENT)
    store.settle("1", Status.UNCERTAIN, "lost")
    time.sleep(0.01)
    counts = store.statistics()
    assert (counts.queued, counts.sending, counts.sent, counts.uncertain, counts.rejected) == (4, 1, 1, 1, 0)
    assert 0.01 <= counts.oldest_queued_s < 5
    assert ids(store.page(None, 0, 3)) == ["0", "1", "2"]
    assert ids(store.page(None, 3, 3)) == ["3", "4", "5"]
    assert ids(store.page(None, 7, 3)) == []
    assert [entry.number for entry in store.page(None, 3, 2)] == [4, 5]
    assert ids(store.page(Status.QUEUED, 5, 9)) == ["5", "6"]


def test_a_closed_store_lets_go_of_what_waits(exam: Exam):
    store = exam.open_one(lease_s=60)
    store.put(call("one"))
    store.claim(ALL)
    store.close()
    heir = exam.open_one(lease_s=60)
    heir.sweep((), 60)
    assert ids(heir.claim(ALL)) == ["one"]


def test_nothing_private_is_shown(exam: Exam):
    """Addresses and keys are in no repr: what is printed ends in logs."""
    store = exam.open_one()
    entry = call("one", arguments=json.dumps({"recipients": "john@doe.com"}), key="john@doe.com")
    store.put(entry)
    assert "john" not in repr(entry) + repr(store.get("one")) + repr(store)
