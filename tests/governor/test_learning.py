"""Finding a limit nobody told: near it, for few 429s, whichever way the vendor cuts its window. In virtual time."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async.config import Limits
from ongage_async.emulator import worst_window
from ongage_async.governor import End, Governor
from ongage_async.governor._learning import Learner

PER_S = 6.0


class StrictVendor:
    def __init__(self, calls: int, window: str) -> None:
        self.calls, self.window = calls, window
        self.counted: list[float] = []
        self.refused_at: list[float] = []

    def accepts(self) -> bool:
        now = anyio.current_time()
        start = now - now % PER_S if self.window == "fixed" else now - PER_S
        if self.window == "fixed":
            inside = sum(1 for at in reversed(self.counted[-self.calls :]) if at >= start)
        else:
            inside = sum(1 for at in reversed(self.counted[-self.calls :]) if at > start)
        if inside >= self.calls:
            self.refused_at.append(now)
            return False
        self.counted.append(now)
        return True


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize("window", ["fixed", "sliding"])
@pytest.mark.parametrize("limit", [120, 300, 1200, pytest.param(6000, marks=[pytest.mark.proof, pytest.mark.fleet])])
async def test_the_limit_is_found_and_then_used(limit: int, window: str):
    vendor = StrictVendor(limit, window)
    governor = Governor(Limits(calls="learn", per_s=PER_S, parallel=10))

    async def work() -> None:
        while True:
            permit = await governor.acquire()
            await anyio.sleep(0.001)
            accepted = vendor.accepts()
            await anyio.sleep(0.001)
            await permit.give_back(End.ANSWERED if accepted else End.REFUSED, retry_after_s=PER_S)

    began = anyio.current_time()
    with anyio.move_on_after(40 * PER_S):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(work)
    end = anyio.current_time()
    last = [at for at in vendor.counted if at > end - 10 * PER_S]
    share = len(last) / (limit * 10)
    bursts = len({round((at - began) / PER_S) for at in vendor.refused_at})
    found_s = (max(vendor.refused_at) - began) if vendor.refused_at else 0.0
    print(f"\nlimit {limit} ({window}): {bursts} bursts of 429, {len(vendor.refused_at)} in all, "
          f"the last after {found_s / PER_S:.0f} windows; share at the end {share:.3f}")  # fmt: skip
    assert share >= 0.93
    assert bursts <= 12
    assert worst_window(last, PER_S) <= limit


@given(limit=st.integers(2, 100_000))
def test_the_search_ends_within_two_percent_below_any_limit(limit: int) -> None:
    learner, calls, refusals = Learner(), 300, 0
    for _ in range(200):
        following = learner.refused(limit + 1) if calls > limit else learner.passed(calls)
        refusals += calls > limit
        if following == calls:
            break
        calls = following
    assert 0.97 * limit - 1 <= calls <= limit
    assert refusals <= 20


def test_a_limit_that_was_raised_is_found_again() -> None:
    learner = Learner(good=100, bad=101)
    assert learner.passed(150) == 225


def test_a_limit_that_was_lowered_is_found_again() -> None:
    learner = Learner(good=300)
    assert learner.refused(121) == 120
