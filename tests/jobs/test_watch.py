"""The one poller, in virtual time on both event loops: its cadence, what it bears, and when it gives up."""

import gc
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async import _jobs
from ongage_async.errors import (
    APIError,
    AuthenticationError,
    BudgetError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    DecodeError,
    NotFoundError,
    OngageError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseTimeoutError,
    ServerError,
)

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

BEARABLE: list[Callable[[], OngageError]] = [
    lambda: ServerError("no", status=503),
    lambda: ConnectError("no"),
    lambda: ResponseTimeoutError("no"),
    lambda: ConnectionLostError("no"),
    lambda: RateLimitedError("no", status=429),
    lambda: BudgetError("no", retry_after_s=3.0),
    lambda: DecodeError("no"),
]


@define
class Script:
    """A job whose polls end as written, one after the other; the last one stays. Notes when it was asked."""

    steps: list[Any]
    asked_at_s: list[float] = field(factory=list)
    begin_s: float | None = None

    async def __call__(self) -> str:
        now_s = anyio.current_time()
        self.begin_s = now_s if self.begin_s is None else self.begin_s
        self.asked_at_s.append(now_s - self.begin_s)
        await anyio.lowlevel.checkpoint()
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if callable(step):
            step = step()
        if isinstance(step, Exception):
            raise step
        return step


def missing() -> NotFoundError:
    return NotFoundError("no such job", status=404)


def watch(script: Script, **options: Any) -> _jobs.Watch[str]:
    return _jobs.watch(script, is_final=lambda word: word.startswith("end"), name="imports.get", **options)


async def seen(script: Script, **options: Any) -> list[str]:
    return [snapshot async for snapshot in watch(script, **options)]


# --- cadence


def test_the_cadence_grows_with_the_age() -> None:
    ages = [0, 9.9, 10, 59, 60, 599, 600, 3599, 3600, 1e9]
    assert [_jobs.next_interval_s(age) for age in ages] == [2, 2, 5, 5, 15, 15, 30, 30, 60, 60]


@settings(deadline=None)
@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_the_cadence_never_shrinks(one: float, other: float) -> None:
    assert _jobs.next_interval_s(min(one, other)) <= _jobs.next_interval_s(max(one, other))


async def test_polls_follow_the_cadence() -> None:
    script = Script(["a"] * 20 + ["end"])
    assert await seen(script) == ["a", "end"]
    assert script.asked_at_s[:9] == pytest.approx([0, 2, 4, 6, 8, 10, 15, 20, 25])
    assert script.asked_at_s[13:] == pytest.approx([50, 55, 60, 75, 90, 105, 120, 135])


async def test_an_hour_of_watching_costs_about_150_calls() -> None:
    script = Script(["a"] * 10_000)
    with anyio.move_on_after(3600):
        await seen(script)
    assert 140 <= len(script.asked_at_s) <= 160


async def test_a_fixed_interval_replaces_the_cadence() -> None:
    script = Script(["a", "a", "a", "end"])
    await seen(script, interval_s=7.5)
    assert script.asked_at_s == pytest.approx([0, 7.5, 15, 22.5])


async def test_the_first_snapshot_comes_at_once() -> None:
    start = anyio.current_time()
    assert await anext(watch(Script(["a"]))) == "a"
    assert anyio.current_time() == start


async def test_a_slow_consumer_is_not_made_to_wait_again() -> None:
    script = Script(["a", "b", "end"])
    async for _ in watch(script, interval_s=10):
        await anyio.sleep(25)
    assert script.asked_at_s == pytest.approx([0, 25, 50])


async def test_only_changes_are_told_and_a_value_may_come_back() -> None:
    assert await seen(Script(["a", "a", "b", "a", "a", "end"])) == ["a", "b", "a", "end"]


async def test_it_stops_after_the_first_final_snapshot_for_good() -> None:
    script = Script(["end", "end2"])
    watching = watch(script)
    assert [snapshot async for snapshot in watching] == ["end"]
    assert [snapshot async for snapshot in watching] == []
    assert len(script.asked_at_s) == 1


# --- what is borne


@pytest.mark.parametrize("failure", BEARABLE)
async def test_a_failure_in_between_is_borne(failure: Callable[[], OngageError]) -> None:
    assert await seen(Script([failure, "a", failure, failure, failure, "b", failure, "end"])) == ["a", "b", "end"]


@pytest.mark.parametrize("failure", BEARABLE)
async def test_nothing_but_failures_is_borne_for_as_long_as_asked(failure: Callable[[], OngageError]) -> None:
    script = Script(["a", failure])
    watching = watch(script, patience_s=1000)
    assert await anext(watching) == "a"
    with pytest.raises(type(failure())) as caught:
        await anext(watching)
    assert "1000 s" in caught.value.__notes__[-1]
    assert script.asked_at_s[-1] - script.asked_at_s[1] == pytest.approx(1000)
    with pytest.raises(StopAsyncIteration):
        await anext(watching)


async def test_patience_is_two_hours_and_begins_anew_after_a_success() -> None:
    down = [lambda: ServerError("no", status=503)] * 100
    assert await seen(Script([*down, "a", *down, "b", *down, "end"])) == ["a", "b", "end"]
    script = Script([down[0]])
    with pytest.raises(ServerError):
        await seen(script)
    assert script.asked_at_s[-1] == pytest.approx(7200)


@pytest.mark.parametrize(
    "failure",
    [
        RateLimitedError("no", status=429, retry_after_s=40.0),
        BudgetError("no", retry_after_s=40.0),
        ServerError("no", status=503, retry_after_s=40.0),
    ],
)
async def test_the_time_that_an_error_asks_for_is_waited(failure: OngageError) -> None:
    script = Script([failure, "end"])
    await seen(script)
    assert script.asked_at_s == pytest.approx([0, 40])


@pytest.mark.parametrize(
    "failure",
    [
        AuthenticationError("no", status=401),
        PermissionDeniedError("no", status=403),
        APIError("no", status=402),
        ConfigurationError("closed"),
        ValueError("a bug"),
    ],
)
async def test_what_waiting_does_not_cure_is_raised_at_once(failure: Exception) -> None:
    script = Script(["a", failure])
    watching = watch(script)
    assert await anext(watching) == "a"
    with pytest.raises(type(failure)):
        await anext(watching)
    assert len(script.asked_at_s) == 2
    assert [snapshot async for snapshot in watching] == []


# --- 404


async def test_a_job_nobody_knows_is_not_found_at_the_first_poll() -> None:
    script = Script([missing])
    with pytest.raises(NotFoundError):
        await seen(script)
    assert len(script.asked_at_s) == 1


async def test_a_job_just_made_may_be_unknown_for_a_minute() -> None:
    assert await seen(Script([missing] * 8 + ["a", "end"]), known=True) == ["a", "end"]
    script = Script([missing])
    with pytest.raises(NotFoundError):
        await seen(script, known=True)
    assert 60 <= script.asked_at_s[-1] <= 65


async def test_a_job_that_was_seen_has_vanished_only_after_three_misses_in_a_row() -> None:
    assert await seen(Script(["a", missing, missing, "b", missing, missing, "end"])) == ["a", "b", "end"]
    script = Script(["a", missing])
    watching = watch(script, describe=lambda word: f"<{word}>")
    assert await anext(watching) == "a"
    with pytest.raises(NotFoundError) as caught:
        await anext(watching)
    assert "last seen: <a>" in caught.value.__notes__[-1]
    assert len(script.asked_at_s) == 4


async def test_a_failure_between_two_misses_does_not_bring_a_job_back() -> None:
    script = Script(["a", missing, BEARABLE[0], missing, BEARABLE[1], missing])
    with pytest.raises(NotFoundError):
        await seen(script)
    assert len(script.asked_at_s) == 6


# --- leaving


async def test_a_watch_may_be_left_and_taken_up_again() -> None:
    script = Script(["a", "b", "end"])
    watching = watch(script)
    async for _ in watching:
        break
    gc.collect()  # an abandoned async generator would complain here on trio
    assert [snapshot async for snapshot in watching] == ["b", "end"]


async def test_a_closed_watch_is_over() -> None:
    watching = watch(Script(["a", "b"]))
    await anext(watching)
    await watching.aclose()
    assert [snapshot async for snapshot in watching] == []


async def test_cancelling_a_watch_leaves_it_usable() -> None:
    script = Script(["a", "a", "a", "end"])
    watching = watch(script, interval_s=10)
    assert await anext(watching) == "a"
    with anyio.move_on_after(5) as scope:
        await anext(watching)
    assert scope.cancelled_caught
    assert await anext(watching) == "end"
    assert script.asked_at_s == pytest.approx([0, 10, 20, 30])
