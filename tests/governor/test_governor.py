"""The queue in front of the account: order, refusal, cancellation, foretelling. In virtual time, on both loops."""

import random
from collections.abc import Mapping

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ongage_async.config import Lane, Limits
from ongage_async.errors import BudgetError, ConfigurationError
from ongage_async.governor import End, Governor, MemoryLedger, Permit
from ongage_async.governor._rules import Lease, Wait

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def use(governor: Governor, lane: Lane = Lane.NORMAL, for_s: float = 0.1, **options: float) -> float:
    """Make a pretended call; return the date at which it was sent."""
    permit = await governor.acquire(lane, **options)
    sent_at = anyio.current_time()
    await anyio.sleep(for_s)
    await permit.give_back(End.ANSWERED)
    return sent_at


async def test_the_second_window_starts_when_the_first_tokens_come_home():
    governor = Governor(Limits(calls=2, per_s=60, parallel=2))
    began = anyio.current_time()
    dates = [await use(governor, for_s=1.0) - began for _ in range(4)]
    assert dates == pytest.approx([0.0, 1.0, 61.0, 62.0])


async def test_callers_of_a_lane_are_served_in_the_order_of_their_coming():
    governor = Governor(Limits(calls=1000, per_s=1, parallel=1))
    order: list[int] = []

    async def call(number: int) -> None:
        await use(governor)
        order.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(call, number)
            await checkpoint()
    assert order == sorted(order)


async def test_urgent_calls_go_before_normal_before_bulk():
    governor = Governor(Limits(calls=1000, per_s=1, parallel=1))
    order: list[Lane] = []

    async def call(lane: Lane) -> None:
        await use(governor, lane)
        order.append(lane)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(use, governor)
        await checkpoint()
        for lane in (Lane.BULK, Lane.NORMAL, Lane.URGENT):
            tasks.start_soon(call, lane)
    assert order == [Lane.URGENT, Lane.NORMAL, Lane.BULK]


async def test_a_wait_that_cannot_be_met_is_refused_at_once_with_a_true_retry_after():
    governor = Governor(Limits(calls=1, per_s=60, parallel=1))
    await use(governor, for_s=1.0)
    began = anyio.current_time()
    with pytest.raises(BudgetError, match="max_wait_s=5") as caught:
        await governor.acquire(max_wait_s=5.0)
    assert anyio.current_time() == began
    await anyio.sleep(caught.value.retry_after_s)
    await use(governor, max_wait_s=0.0)


async def test_a_wait_that_turns_out_too_long_ends_at_its_date():
    governor = Governor(Limits(calls=10, per_s=60, parallel=1))
    permit = await governor.acquire()
    began = anyio.current_time()
    with pytest.raises(BudgetError):
        await governor.acquire(max_wait_s=5.0)
    assert anyio.current_time() - began == pytest.approx(5.0)
    await permit.give_back(End.ANSWERED)
    await use(governor)


async def test_a_full_queue_refuses_one_more():
    governor = Governor(Limits(calls=1, per_s=60, parallel=1), max_waiting=3)
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(use, governor)
        await anyio.sleep(1)
        with pytest.raises(BudgetError, match="queue is full"):
            await governor.acquire()


async def test_a_cancelled_waiter_gives_its_place_back():
    governor = Governor(Limits(calls=1000, per_s=60, parallel=1))
    permit = await governor.acquire()
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(governor.acquire)
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()
    await permit.give_back(End.ANSWERED)
    await checkpoint()
    statistics = await governor.statistics()
    assert statistics.lanes[Lane.NORMAL].waiting == 0
    assert statistics.open == 0


async def test_a_caller_cancelled_at_the_instant_of_its_grant_loses_nothing():
    governor = Governor(Limits(calls=1000, per_s=60, parallel=1))
    chance = random.Random(0)
    taken: list[Permit] = []

    async def take() -> None:
        taken.append(await governor.acquire())

    for _ in range(100):
        permit = await governor.acquire()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            await anyio.sleep(0.001)
            await permit.give_back(End.ANSWERED)
            for _ in range(chance.randrange(5)):
                await checkpoint()
            tasks.cancel_scope.cancel()
        while taken:
            await taken.pop().give_back(End.ANSWERED)
        await anyio.sleep(0.001)
        assert (await governor.statistics()).open == 0


async def test_an_uncertain_call_keeps_its_place_and_token_for_the_margin():
    governor = Governor(Limits(calls=1, per_s=60, parallel=1), margin_s=10)
    permit = await governor.acquire()
    await permit.give_back(End.UNCERTAIN)
    began = anyio.current_time()
    assert (await governor.statistics()).places_free == 0
    assert await use(governor) - began == pytest.approx(70.0)


async def test_an_unsent_call_costs_nothing():
    governor = Governor(Limits(calls=1, per_s=60, parallel=1))
    for _ in range(5):
        permit = await governor.acquire(max_wait_s=0.0)
        await permit.give_back(End.UNSENT)


async def test_a_pause_by_hand_holds_everybody_and_resume_ends_it():
    governor = Governor()
    await governor.pause(100.0)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:

        async def resume() -> None:
            await anyio.sleep(30)
            await governor.resume()

        tasks.start_soon(resume)
        assert await use(governor) - began == pytest.approx(30.0)


async def test_eta_tells_when_a_call_is_granted():
    governor = Governor(Limits(calls=2, per_s=60, parallel=2))
    assert await governor.eta() == 0.0
    for _ in range(2):
        await use(governor, for_s=0.0)
    eta = await governor.eta(calls=2)
    began = anyio.current_time()
    await use(governor)
    await use(governor)
    assert anyio.current_time() - began == pytest.approx(eta, abs=0.3)


async def test_statistics_tell_waits_and_tokens():
    governor = Governor(Limits(calls=2, per_s=60, parallel=2))
    for _ in range(3):
        await use(governor, for_s=1.0)
    seen = await governor.statistics()
    assert seen.lanes[Lane.NORMAL].granted == 3
    assert seen.lanes[Lane.NORMAL].wait_p99_s == pytest.approx(59.0)
    assert seen.tokens_free == 1  # the second answer's token came home this instant
    assert seen.tokens_home_s == pytest.approx((60.0,))


async def test_a_reserve_larger_than_the_limit_is_refused():
    with pytest.raises(ConfigurationError):
        Governor(Limits(calls=5), reserve=5)


async def test_a_governed_block_gives_its_permit_back_even_if_it_raises():
    governor = Governor(Limits(calls=5, per_s=60, parallel=1), margin_s=1)
    with pytest.raises(RuntimeError):
        async with governor.permit():
            raise RuntimeError
    await anyio.sleep(1)
    async with governor.permit(max_wait_s=0.0):
        pass


def test_a_governor_may_follow_its_program_into_a_new_event_loop_without_a_new_budget():
    governor = Governor(Limits(calls=1, per_s=0.2, parallel=1))

    async def first() -> None:
        await use(governor, for_s=0.0)

    async def second() -> float:
        await governor.start()
        return await governor.eta()

    anyio.run(first, backend="trio")
    assert anyio.run(second, backend="trio") > 0.1


async def test_tenants_of_a_lane_are_served_in_turn():
    governor = Governor(Limits(calls=1000, per_s=1, parallel=1))
    order: list[str] = []

    async def call(tenant: str) -> None:
        permit = await governor.acquire(tenant=tenant)
        await anyio.sleep(0.1)
        await permit.give_back(End.ANSWERED)
        order.append(tenant)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(call, "loud")
        await anyio.sleep(0.05)
        for _ in range(3):
            tasks.start_soon(call, "quiet")
    assert order.index("quiet") <= 3
    assert [at for at, tenant in enumerate(order) if tenant == "quiet"][-1] <= 8


async def test_new_limits_hold_at_once():
    governor = Governor(Limits(calls=100, per_s=60, parallel=10))
    await governor.set_limits(Limits(calls=2, per_s=60, parallel=1))
    await use(governor)
    await use(governor)
    with pytest.raises(BudgetError):
        await governor.acquire(max_wait_s=10.0)


async def test_a_listener_hears_until_it_leaves():
    governor = Governor()
    heard: list[object] = []
    stop = governor.listen(heard.append)
    governor._tell("news")  # type: ignore[arg-type]
    stop()
    governor._tell("more")  # type: ignore[arg-type]
    assert heard == ["news"]


async def test_a_call_that_lasts_keeps_its_place_for_as_long_as_it_lasts():
    governor = Governor(Limits(calls=10, per_s=60, parallel=1))
    async with governor.permit():
        await anyio.sleep(1000)
        with pytest.raises(BudgetError):
            await governor.acquire(max_wait_s=0.0)


class LeaseLog(MemoryLedger):
    """Note for how long each lease is asked for."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.leases_s: list[float] = []

    async def take(self, asks: Mapping[Lane, int], lease_s: float) -> Lease | Wait:
        self.leases_s.append(lease_s)
        return await super().take(asks, lease_s)


async def test_a_lease_lasts_as_long_as_the_longest_answer_that_a_client_waits_for():
    """A process that vanished blocks its places for no longer than that; untold, for a minute and the margin."""
    ledger = LeaseLog(Limits())
    governor = Governor(ledger=ledger, margin_s=10.0)
    for outlive_s in (None, 5.0, 30.0, 20.0):
        if outlive_s is not None:
            governor.outlive(outlive_s)
        await (await governor.acquire()).give_back(End.ANSWERED)
    assert ledger.leases_s == [70.0, 15.0, 40.0, 40.0]
