"""The limits, asserted from the server's side in virtual time."""

import anyio
import pytest

from ongage_async.emulator import Emulator, Fault, Readings

pytestmark = pytest.mark.anyio

DENIED = {"metadata": {"error": True}, "payload": {"code": 429, "errors": [], "message": "Calls per minute exceeded"}}


def emulator(calls=3, parallel=None, latency=0.0, **readings):
    return Emulator(calls=calls, per_s=60.0, parallel=parallel, latency=latency, readings=Readings(**readings))


async def statuses(client, count):
    return [(await client.get("/api/lists")).status_code for _ in range(count)]


async def test_the_call_over_the_limit_gets_the_vendors_body(anyio_backend):
    async with emulator(calls=1).http_client() as client:
        await client.get("/api/lists")
        answer = await client.get("/api/lists")
        assert (answer.status_code, answer.json()) == (429, DENIED)
        assert "retry-after" not in answer.headers


async def test_a_fixed_window_lets_twice_the_limit_through_around_its_edge(anyio_backend):
    served = emulator(window="fixed")
    async with served.http_client() as client:
        await anyio.sleep(60 - anyio.current_time() % 60 + 59)
        assert await statuses(client, 4) == [200, 200, 200, 429]
        await anyio.sleep(1)
        assert await statuses(client, 4) == [200, 200, 200, 429]
    assert served.witness.worst_window(60.0) == 8


async def test_a_sliding_window_never_does(anyio_backend):
    async with emulator(window="sliding").http_client() as client:
        assert await statuses(client, 4) == [200, 200, 200, 429]
        await anyio.sleep(59.5)
        assert await statuses(client, 1) == [429]
        await anyio.sleep(0.5)
        assert await statuses(client, 4) == [200, 200, 200, 429]


@pytest.mark.parametrize(("counts", "later"), [(False, 200), (True, 429)])
async def test_denied_calls_count_only_under_that_reading(anyio_backend, counts, later):
    async with emulator(window="sliding", denied_calls_count=counts).http_client() as client:
        await statuses(client, 3)
        for _ in range(3):
            await anyio.sleep(20)
            first = (await statuses(client, 2))[0]
        assert first == later


@pytest.mark.parametrize(("window", "wait_s"), [("sliding", "50"), ("fixed", "50")])
async def test_retry_after_tells_the_seconds_to_wait(anyio_backend, window, wait_s):
    async with emulator(window=window, retry_after=True).http_client() as client:
        await anyio.sleep(60 - anyio.current_time() % 60)
        await statuses(client, 3)
        await anyio.sleep(10)
        answer = await client.get("/api/lists")
        assert answer.headers["retry-after"] == wait_s


async def in_parallel(served, count):
    found = []

    async def call(client):
        found.append((await client.get("/api/lists")).status_code)

    async with served.http_client() as client, anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(call, client)
    return sorted(found)


@pytest.mark.parametrize("reading", ["429", "503"])
async def test_the_eleventh_parallel_call_is_denied(anyio_backend, reading):
    served = emulator(calls=None, parallel=10, latency=0.1, eleventh=reading)
    assert await in_parallel(served, 11) == [200] * 10 + [int(reading)]
    assert served.witness.worst_open() == 11


async def test_the_eleventh_parallel_call_may_wait_for_a_place(anyio_backend):
    served = emulator(calls=None, parallel=10, latency=0.1, eleventh="queue")
    began = anyio.current_time()
    assert await in_parallel(served, 25) == [200] * 25
    assert anyio.current_time() - began == pytest.approx(0.3)


async def test_both_limits_can_be_switched_off(anyio_backend):
    served = emulator(calls=None, parallel=None, latency=0.1)
    assert await in_parallel(served, 100) == [200] * 100
    assert served.witness.worst_open() == 100


async def test_what_counts_is_the_arrival_at_the_server(anyio_backend):
    served = emulator(calls=1, window="sliding")
    served.faults.add("lists.page", Fault.slow_uplink(30.0), times=1)
    async with served.http_client(timeout=None) as client, anyio.create_task_group() as group:
        began = anyio.current_time()
        group.start_soon(client.get, "/api/lists")
        await anyio.sleep(1)
        assert await statuses(client, 1) == [200]
    first, second = served.witness.calls
    assert (first.arrived_at - began, second.arrived_at - began) == (pytest.approx(1), pytest.approx(30))
    assert (second.status, second.fault) == (429, "slow uplink")


async def test_a_bad_password_costs_no_call(anyio_backend):
    async with emulator(calls=1).http_client() as client:
        assert (await client.get("/api/lists", headers={"X_PASSWORD": "wrong"})).status_code == 401
        assert await statuses(client, 2) == [200, 429]


async def test_latency_may_depend_on_the_operation(anyio_backend):
    served = emulator(calls=None, latency=lambda operation: 2.0 if operation == "lists.page" else 0.0)
    async with served.http_client() as client:
        began = anyio.current_time()
        await client.get("/api/lists/60299")
        assert anyio.current_time() == began
        await client.get("/api/lists")
        assert anyio.current_time() - began == pytest.approx(2.0)
