"""A ledger that is lost: calls in flight end, the shares together keep the limit, the return makes no burst.

In virtual time; the server's side is a list of arrivals and departures kept here.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import anyio
import pytest

from ongage_async.config import Lane, Limits
from ongage_async.emulator import worst_overlap, worst_window
from ongage_async.errors import BudgetError, ConfigurationError
from ongage_async.events import Event, LedgerBack, LedgerLost
from ongage_async.governor import End, Governor, LedgerLostError, MemoryLedger
from ongage_async.governor._loss import GuardedLedger, safe_share
from ongage_async.governor._rules import Account, Lease, Pause, Wait

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Breakable(MemoryLedger):
    """A shared ledger with a plug."""

    plug: ClassVar[list[bool]] = [True]

    def member(self, name: str) -> "Breakable":
        member = Breakable(self.limits, self.margin_s, self.reserve, self.clock, name)
        member._shared, member.plug = self._shared, self.plug  # type: ignore[misc]
        return member

    def check(self) -> None:
        if not self.plug[0]:
            raise LedgerLostError("the plug was pulled")

    async def start(self, wake: object) -> Limits:
        self.check()
        return await super().start(wake)  # type: ignore[arg-type]

    async def take(self, asks: Mapping[Lane, int], lease_s: float) -> Lease | Wait:
        self.check()
        return await super().take(asks, lease_s)

    async def give_back(self, lease: Lease, end: End, **told: float | None) -> Pause | None:
        self.check()
        return await super().give_back(lease, end, **told)  # type: ignore[arg-type]

    async def look(self) -> Account:
        self.check()
        return await super().look()


class Fleet:
    def __init__(self, size: int, limits: Limits, on_loss: str = "share") -> None:
        self.limits = limits
        ledger = Breakable(limits, name="first")
        self.plug = ledger.plug = [True]  # type: ignore[misc]
        self.events: list[Event] = []
        self.governors = []
        for number in range(size):
            guarded = GuardedLedger(ledger.member(str(number)), limits, on_loss, self.events.append)  # type: ignore[arg-type]
            governor = Governor(limits, ledger=guarded, margin_s=4.0)
            governor.outlive(1.0)
            self.governors.append(governor)
        self.arrived: list[float] = []
        self.departed: list[float] = []

    async def work(self, governor: Governor) -> None:
        while True:
            permit = await governor.acquire()
            await anyio.sleep(0.1)
            self.arrived.append(anyio.current_time())
            await anyio.sleep(0.2)
            self.departed.append(anyio.current_time())
            await permit.give_back(End.ANSWERED)

    async def run(self, for_s: float, lost_from_s: float, lost_until_s: float) -> None:
        self.began = anyio.current_time()
        with anyio.move_on_after(for_s):
            async with anyio.create_task_group() as tasks:
                for governor in self.governors:
                    for _ in range(5):
                        tasks.start_soon(self.work, governor)
                await anyio.sleep(lost_from_s)
                self.plug[0] = False
                await anyio.sleep(lost_until_s - lost_from_s)
                self.plug[0] = True

    def calls_between(self, start_s: float, end_s: float) -> int:
        return sum(start_s <= at - self.began < end_s for at in self.arrived)


@pytest.mark.parametrize(("lost_from_s", "lost_until_s"), [(20.0, 21.0), (20.0, 100.0), (0.5, 60.0), (33.3, 40.0)])
async def test_the_limit_holds_before_during_and_after_a_loss(lost_from_s: float, lost_until_s: float):
    fleet = Fleet(4, Limits(60, 6.0, 8))
    await fleet.run(150.0, lost_from_s, lost_until_s)
    still_open = [math.inf] * (len(fleet.arrived) - len(fleet.departed))
    assert worst_window(fleet.arrived, 6.0) <= 60
    assert worst_overlap(fleet.arrived, fleet.departed + still_open) <= 8
    assert fleet.calls_between(130, 150) >= 0.9 * 60 / 6.3 * 20, "the full rate is back"


async def test_a_long_loss_goes_on_with_the_shares_and_tells():
    fleet = Fleet(4, Limits(60, 6.0, 8))
    await fleet.run(150.0, 20.0, 120.0)
    share = safe_share(Limits(60, 6.0, 8), 4, 0)
    assert share == Limits(13, 6.0, 2)
    during = fleet.calls_between(50, 110)
    assert 0.9 * 4 * 13 / 6.3 * 60 <= during <= 4 * 13 / 6.0 * 60 + 4 * 13
    lost = [event for event in fleet.events if isinstance(event, LedgerLost)]
    assert [event.share and event.share.calls for event in lost] == [13] * 4
    assert len([event for event in fleet.events if isinstance(event, LedgerBack)]) == 4


async def test_a_governor_that_is_told_to_stop_refuses_until_the_ledger_is_back():
    fleet = Fleet(1, Limits(60, 6.0, 8), on_loss="stop")
    governor = fleet.governors[0]
    async with governor.permit():
        fleet.plug[0] = False
    with pytest.raises(BudgetError, match="the plug was pulled"):
        await governor.acquire()
    fleet.plug[0] = True
    await anyio.sleep(6)
    async with governor.permit(max_wait_s=0.0):
        pass


async def test_callers_that_wait_when_the_ledger_goes_are_told_if_it_means_stop():
    fleet = Fleet(1, Limits(1, 6.0, 1), on_loss="stop")
    governor = fleet.governors[0]
    async with governor.permit():
        pass
    async with anyio.create_task_group() as tasks:

        async def refused() -> None:
            with pytest.raises(BudgetError):
                await governor.acquire()

        for _ in range(5):
            tasks.start_soon(refused)
        await anyio.sleep(1)
        fleet.plug[0] = False


async def test_a_ledger_that_cannot_be_used_at_the_start_is_an_error_of_configuration():
    fleet = Fleet(1, Limits(60, 6.0, 8))
    fleet.plug[0] = False
    with pytest.raises(ConfigurationError, match="the plug was pulled"):
        await fleet.governors[0].start()


def test_the_shares_together_leave_out_the_calls_that_were_open():
    limits = Limits(300, 60, 10)
    for members in range(1, 15):
        shares = [safe_share(limits, members, rank) for rank in range(members)]
        assert sum(share.calls for share in shares if share) <= 290
        assert sum(share.parallel for share in shares if share) <= 10
    assert safe_share(limits, 12, 11) is None
