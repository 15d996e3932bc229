"""The witness against a naive computation, and its bookkeeping."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from ongage_async.emulator import Witness, worst_overlap, worst_window

TIMES = st.lists(st.integers(0, 200), max_size=40)


@given(TIMES, st.integers(1, 60))
def test_the_worst_window_is_the_fullest_that_begins_at_an_arrival(times, per_s):
    naive = max((sum(begin <= each < begin + per_s for each in times) for begin in times), default=0)
    assert worst_window(times, per_s) == naive


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=30))
def test_the_worst_overlap_is_the_most_intervals_over_one_instant(spans):
    intervals = [(start, start + length) for start, length in spans]
    naive = max((sum(start <= at < end for start, end in intervals) for at in range(80)), default=0)
    assert worst_overlap([start for start, _ in intervals], [end for _, end in intervals]) == naive


@given(st.lists(st.sampled_from(["arrive", "depart"]), max_size=60))
def test_open_calls_are_counted_in_the_order_of_events_even_at_one_time(steps):
    witness, open_tickets, worst = Witness(), [], 0
    for step in steps:
        if step == "arrive":
            open_tickets.append(witness.arrive(1.0, "GET", "/api/lists", "lists.page"))
            worst = max(worst, len(open_tickets))
        elif open_tickets:
            witness.depart(open_tickets.pop(0), 1.0, status=200)
    assert witness.worst_open() == worst


def test_a_window_is_open_at_its_end():
    assert worst_window([0.0, 60.0], 60.0) == 1
    assert worst_window([0.0, 59.999], 60.0) == 2


def test_the_older_half_is_forgotten_when_the_log_is_full():
    witness = Witness(max_calls=4)
    tickets = [witness.arrive(float(at), "GET", "/api/lists", "lists.page") for at in range(5)]
    assert [call.arrived_at for call in witness.calls] == [2.0, 3.0, 4.0]
    witness.depart(tickets[0], 9.0, status=200)
    witness.depart(tickets[3], 9.0, status=200, account="acc", executed=True, fault="delay")
    assert [call.departed_at for call in witness.calls] == [None, 9.0, None]
    assert witness.calls[1].fault == "delay"


def test_calls_are_counted_by_operation_execution_and_status():
    witness = Witness()
    for executed, status in ((True, 200), (False, 429), (False, 0)):
        ticket = witness.arrive(0.0, "POST", "/api/v2/contacts", "contacts.create")
        witness.depart(ticket, 1.0, status=status, executed=executed)
    assert witness.count() == witness.count("contacts.create") == 3
    assert witness.count("contacts.create", executed=True) == 1
    assert witness.count(executed=False, status=429) == 1
    assert witness.count("lists.get") == 0
    witness.clear()
    assert (len(witness), witness.calls, witness.worst_window(), witness.worst_open()) == (0, [], 0, 0)


def test_everything_that_was_seen_of_a_call_is_told(emulator, client):
    client.get("/api/lists/1/")
    client.get("/nowhere")
    first, second = emulator.witness.calls
    assert (first.method, first.route, first.operation) == ("GET", "/api/lists/{id}", "lists.get")
    assert (first.status, first.executed, first.account) == (404, False, emulator.credentials.account_code)
    assert first.arrived_at <= first.departed_at
    assert (second.route, second.operation) == ("?", "unknown")


def test_the_log_stays_in_step_while_others_read_and_clear_it():
    witness = Witness()
    done = threading.Event()

    def serve():
        for _ in range(3000):
            witness.depart(witness.arrive(0.0, "GET", "/api/lists", "lists.page"), 1.0, status=200)
        done.set()

    server = threading.Thread(target=serve)
    server.start()
    while not done.is_set():
        assert all(call.operation == "lists.page" for call in witness.calls)
        witness.clear()
    server.join()
