"""The guarantee, seen by the witness at the emulator: never more, never less, lanes in order. In virtual time.

Nothing here reads the governor's own counters. The last test runs two tempting mistakes under the same load and sees
the witness object, so a governor that makes them cannot pass unnoticed.
"""

import math
import random
from collections.abc import Callable
from statistics import fmean
from typing import Any

import anyio
import pytest

from ongage_async import Governor, Lane, Limits, OngageClient
from ongage_async.config import Credentials
from ongage_async.emulator import Emulator, Fault
from ongage_async.governor import MemoryLedger
from ongage_async.governor._rules import Account, End, Lease

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

SLOW_UPLINK_S = 8.0


class Load:
    """A saturating load on an emulator that enforces nothing and sees everything."""

    def __init__(self, limits: Limits, seed: int = 1, mean_s: float = 0.3) -> None:
        chance = random.Random(seed)
        spread = 0.8
        self.limits = limits
        self.emulator = Emulator(
            calls=None,
            parallel=None,
            latency=lambda _: chance.lognormvariate(math.log(mean_s) - spread**2 / 2, spread),
        )
        self.emulator.faults.add("*", Fault(uplink_s=SLOW_UPLINK_S), probability=0.02)
        self.governor = Governor(limits)
        self.waits: dict[Lane, list[float]] = {lane: [] for lane in Lane}

    def mutate(self, account: Callable[[Limits], Account]) -> None:
        ledger = MemoryLedger(self.limits)
        ledger._shared.account = account(self.limits)
        self.governor = Governor(self.limits, ledger=ledger)

    async def saturate(self, for_s: float, *, lane: Lane = Lane.NORMAL, urgent: Any = None) -> None:
        made = self.emulator.credentials
        credentials = Credentials(made.username, made.password, made.account_code)
        http_client = self.emulator.http_client()
        async with (
            http_client,
            OngageClient(
                credentials, base_url=self.emulator.url, governor=self.governor, http_client=http_client
            ) as ongage,
        ):
            self.began = anyio.current_time()
            with anyio.move_on_after(for_s):
                async with anyio.create_task_group() as tasks:
                    for _ in range(3 * self.limits.parallel):
                        tasks.start_soon(self.call_for_ever, ongage, lane)
                    if urgent is not None:
                        tasks.start_soon(urgent, ongage)

    async def call_for_ever(self, ongage: OngageClient, lane: Lane) -> None:
        view = ongage.with_options(lane=lane)
        while True:
            await view.request("GET", "/api/lists")

    def mean_latency_s(self) -> float:
        served = [
            call.departed_at - call.arrived_at for call in self.emulator.witness.calls if call.departed_at is not None
        ]
        return fmean(served) + 0.02 * SLOW_UPLINK_S

    def share_of_the_possible(self, for_s: float) -> float:
        cycle_s = self.limits.per_s + self.mean_latency_s()
        return len(self.emulator.witness) / (self.limits.calls * for_s / cycle_s)


CASES = [
    Limits(),
    Limits(calls=20, per_s=10, parallel=3),
    pytest.param(Limits(calls=1200, per_s=60, parallel=40), marks=pytest.mark.proof),
    pytest.param(Limits(calls=60, per_s=60, parallel=2), marks=pytest.mark.proof),
]


@pytest.mark.parametrize("lane", [Lane.NORMAL, Lane.BULK])
@pytest.mark.parametrize("limits", CASES, ids=str)
async def test_ten_saturated_minutes_never_hold_more_and_hardly_less_than_the_account_allows(
    limits: Limits, lane: Lane, record_property: Callable[[str, object], None]
):
    load = Load(limits)
    await load.saturate(600, lane=lane)
    witness = load.emulator.witness
    share = load.share_of_the_possible(600)
    record_property("share", share)
    print(
        f"\n{limits} {lane.name}: worst window {witness.worst_window(limits.per_s)}, "
        f"worst open {witness.worst_open()}, share {share:.4f}, calls {len(witness)}"
    )
    assert witness.worst_window(limits.per_s) <= limits.calls
    assert witness.worst_open() <= limits.parallel
    assert share >= 0.99


@pytest.mark.parametrize("window", ["fixed", "sliding"])
async def test_an_emulator_that_enforces_the_limits_never_has_to_refuse(window: str):
    load = Load(Limits())
    load.emulator.limits.calls, load.emulator.limits.parallel = 300, 10
    load.emulator.readings.window = window
    await load.saturate(180)
    assert {call.status for call in load.emulator.witness.calls if call.departed_at is not None} == {200}


class ByTheClock(Account):
    """The mistake of most limiters: the bucket is filled at the full minute, whenever the calls were answered."""

    def give_back(self, lease: Lease, end: End, now: float, **told: Any) -> Any:
        result = super().give_back(lease, end, now, **told)
        self._homecoming.pop()
        self._homecoming.append((now // self.limits.per_s + 1) * self.limits.per_s)
        return result


class FromTheSend(Account):
    """The subtler one: a token comes home a window after its call was sent."""

    def give_back(self, lease: Lease, end: End, now: float, **told: Any) -> Any:
        result = super().give_back(lease, end, now, **told)
        self._homecoming.pop()
        self._homecoming = type(self._homecoming)(sorted([*self._homecoming, lease.granted_at + self.limits.per_s]))
        return result


@pytest.mark.parametrize("mistake", [ByTheClock, FromTheSend])
async def test_the_witness_objects_to_tokens_that_come_home_by_the_clock_or_from_the_send(mistake: type[Account]):
    load = Load(Limits())
    load.mutate(mistake)
    await load.saturate(600)
    assert load.emulator.witness.worst_window(60) > 300


async def test_urgent_calls_behind_a_saturating_bulk_load_wait_four_seconds_at_most():
    load = Load(Limits())
    chance = random.Random(2)
    waits: list[float] = []

    async def one(ongage: OngageClient) -> None:
        began = anyio.current_time()
        permit = await ongage.governor.acquire(Lane.URGENT)
        waits.append(anyio.current_time() - began)
        await anyio.sleep(0.3)
        await permit.give_back(End.ANSWERED)

    async def bursts(ongage: OngageClient) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                await anyio.sleep(chance.expovariate(1 / 15))
                for _ in range(5):
                    tasks.start_soon(one, ongage)

    await load.saturate(3600, lane=Lane.BULK, urgent=bursts)
    waits.sort()
    p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    print(f"\nurgent behind bulk: {len(waits)} calls, p50 {p50:.2f} s, p99 {p99:.2f} s, worst {waits[-1]:.2f} s")
    assert len(waits) > 1000
    assert p99 <= 4.0


async def test_bulk_keeps_a_tenth_behind_saturating_urgent_calls():
    load = Load(Limits())
    sent = {Lane.BULK: 0, Lane.URGENT: 0}

    async def urgent(ongage: OngageClient) -> None:
        async def for_ever() -> None:
            while True:
                await ongage.with_options(lane=Lane.URGENT).request("GET", "/api/list_fields")
                sent[Lane.URGENT] += 1

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(for_ever)

    await load.saturate(1200, lane=Lane.BULK, urgent=urgent)
    witness = load.emulator.witness
    bulk = witness.count("lists.page") / len(witness)
    print(f"\nbulk behind saturating urgent calls: {bulk:.3f} of {len(witness)}")
    assert 0.08 <= bulk <= 0.25
