"""Each fault, over sockets and in process."""

import random
import time

import anyio
import httpx
import pytest

from ongage_async.emulator import Fault, Faults

JOHN = {"email": "john@doe.com"}


def last(emulator, status):
    """Return the witness's last call, which may depart just after its client was told."""
    for _ in range(200):
        call = emulator.witness.calls[-1]
        if call.departed_at is not None and call.status == status:
            return call
        time.sleep(0.005)
    raise AssertionError(f"no departure with {status}: {emulator.witness.calls[-1]}")


@pytest.mark.parametrize("after_execution", [False, True])
def test_a_drop_closes_the_connection_before_or_after_the_effect(emulator, client, after_execution):
    emulator.faults.add("contacts.create", Fault.drop(after_execution=after_execution), times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post("/api/v2/contacts", json=JOHN)
    assert len(emulator.state.default_list.contacts) == after_execution
    seen = last(emulator, 0)
    assert (seen.executed, seen.fault) == (after_execution, "drop")
    assert client.post("/api/v2/contacts", json=JOHN).status_code == 200


@pytest.mark.parametrize("after_execution", [False, True])
def test_a_status_replaces_the_answer_before_or_after_the_effect(emulator, client, after_execution):
    fault = Fault.status(503, headers={"Retry-After": "7"}, after_execution=after_execution)
    emulator.faults.add("contacts.*", fault)
    answer = client.post("/api/v2/contacts", json=JOHN)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json()["payload"]["code"] == 503
    assert len(emulator.state.default_list.contacts) == after_execution
    assert emulator.witness.count("contacts.create", executed=True, status=503) == after_execution


@pytest.mark.parametrize(("body", "sent"), [("busy", b"busy"), (b"\xff", b"\xff"), ({"a": 1}, b'{"a": 1}')])
def test_a_status_may_bring_its_own_body(emulator, client, body, sent):
    emulator.faults.add("*", Fault.status(500, body))
    assert client.get("/api/lists").content == sent


def test_half_a_body_breaks_while_it_is_read(emulator, client):
    emulator.faults.add("lists.page", Fault.half_body(), times=1)
    with client.stream("GET", "/api/lists") as response:
        assert response.status_code == 200
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            response.read()
    assert last(emulator, 200).fault == "half body"


def test_garbage_is_a_success_that_can_not_be_read(emulator, client):
    emulator.faults.add("contacts.create", Fault.garbage())
    answer = client.post("/api/v2/contacts", json=JOHN)
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()
    assert emulator.witness.count("contacts.create", executed=True) == 1


def test_a_dripping_body_arrives_whole_and_late(emulator, client):
    emulator.faults.add("lists.page", Fault.drip(0.001, drip_bytes=100))
    began = time.monotonic()
    assert client.get("/api/lists").json()["metadata"]["total"] == 1
    assert time.monotonic() - began > 0.005


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "arrives_s", "departs_s", "answered_s"),
    [
        (Fault.delay(2.0), 0, 2, 2),
        (Fault.delay(2.0, after_execution=True), 0, 2, 2),
        (Fault.slow_uplink(2.0), 2, 2, 2),
        (Fault.slow_downlink(2.0), 0, 0, 2),
        (Fault.drip(1.0, drip_bytes=10**6), 0, 0, 0),
        (Fault(name="both", delay_s=1.0, downlink_s=2.0), 0, 1, 3),
    ],
)
async def test_the_server_sees_a_slow_call_when_it_is_there(inside, fault, arrives_s, departs_s, answered_s):
    inside.faults.add("lists.page", fault)
    async with inside.http_client() as client:
        began = anyio.current_time()
        await client.get("/api/lists")
        answered = anyio.current_time() - began
    seen = inside.witness.calls[0]
    times = [seen.arrived_at - began, seen.departed_at - began, answered]
    assert times == pytest.approx([arrives_s, departs_s, answered_s])


@pytest.mark.anyio
async def test_a_dripping_call_is_open_until_its_last_piece(inside):
    inside.faults.add("lists.page", Fault.drip(1.0, drip_bytes=400))
    async with inside.http_client() as client:
        began = anyio.current_time()
        size = len((await client.get("/api/lists")).content)
    pauses = (size - 1) // 400
    assert inside.witness.calls[0].departed_at - began == pytest.approx(pauses)


@pytest.mark.anyio
async def test_in_process_a_drop_is_the_error_that_it_is_over_a_socket(inside):
    inside.faults.add("lists.page", Fault.drop(), times=1)
    inside.faults.add("lists.page", Fault.half_body(), times=1)
    async with inside.http_client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/api/lists")
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/api/lists")
        assert (await client.get("/api/lists")).status_code == 200


@pytest.mark.anyio
async def test_the_server_goes_on_when_the_client_has_given_up(inside):
    inside.faults.add("contacts.create", Fault.delay(10.0))
    async with inside.http_client(timeout=1.0) as client:
        began = anyio.current_time()
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/api/v2/contacts", json=JOHN)
        assert anyio.current_time() - began == pytest.approx(1.0)
        assert inside.witness.calls[0].departed_at is None
        await anyio.sleep(10.0)
    seen = inside.witness.calls[0]
    assert (seen.executed, seen.departed_at - began) == (True, pytest.approx(10.0))


@pytest.mark.anyio
async def test_the_server_goes_on_when_the_client_was_cancelled(inside):
    inside.latency = 5.0
    async with inside.http_client() as client:
        with anyio.move_on_after(1.0):
            await client.post("/api/v2/contacts", json=JOHN)
        await anyio.sleep(5.0)
    assert inside.witness.count("contacts.create", executed=True) == 1


@pytest.mark.anyio
async def test_a_dripping_body_may_outlast_the_read_timeout(inside):
    inside.faults.add("lists.page", Fault.drip(2.0))
    async with inside.http_client(timeout=1.0) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/api/lists")


def struck(faults, count, operation="lists.page"):
    return [faults.at_server(operation) is not None for _ in range(count)]


def test_a_rule_strikes_so_many_times():
    faults = Faults()
    rule = faults.add("lists.*", Fault.drop(), times=2)
    assert struck(faults, 3, "contacts.create") == [False] * 3
    assert struck(faults, 4) == [True, True, False, False]
    assert (rule.seen, rule.hits) == (2, 2)


def test_a_rule_strikes_every_third_call_after_those_it_skips():
    faults = Faults()
    faults.add("*", Fault.drop(), every=3, skip=1)
    assert struck(faults, 7) == [False, False, False, True, False, False, True]


def test_chance_is_seeded_and_repeats():
    outcomes = []
    for _ in range(2):
        faults = Faults(random.Random(7))
        faults.add("*", Fault.drop(), probability=0.3)
        outcomes.append(struck(faults, 200))
    assert outcomes[0] == outcomes[1]
    assert 30 < sum(outcomes[0]) < 90


def test_the_first_rule_that_strikes_wins_and_rules_can_go():
    faults = Faults()
    first = faults.add("*", Fault.drop())
    faults.add("*", Fault.garbage())
    assert faults.at_server("lists.get").name == "drop"
    faults.remove(first)
    assert faults.at_server("lists.get").name == "garbage"
    faults.clear()
    assert faults.at_server("lists.get") is None


def test_a_call_that_the_limits_deny_uses_up_no_fault(emulator, client):
    emulator.limits.calls = 0
    rule = emulator.faults.add("*", Fault.drop(), times=1)
    assert client.get("/api/lists").status_code == 429
    assert rule.hits == 0
