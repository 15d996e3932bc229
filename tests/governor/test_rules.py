"""The account's rules against a naive list of timestamps that cannot be clever."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ongage_async.config import Lane, Limits
from ongage_async.governor._rules import CATCH_UP, PASSED_OVER, PATIENCE_S, Account, End, Lease, Wait

MARGIN_S = 3.0
ROUNDING_S = 1e-9


class NaiveCall:
    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.granted_at = lease.granted_at
        self.ended_at = math.inf  # the last instant at which the vendor may count it
        self.refunded = False


class AccountAgainstNaiveList(RuleBasedStateMachine):
    """Grants exactly when a list of all calls ever made says that it is allowed, and never too many in any window."""

    @initialize(calls=st.integers(1, 5), parallel=st.integers(1, 4), per_s=st.sampled_from([1.0, 10.0, 60.0]))
    def begin(self, calls: int, parallel: int, per_s: float) -> None:
        self.now = 1000.0
        self.limits = Limits(calls, per_s, parallel)
        self.account = Account(self.limits, margin_s=MARGIN_S)
        self.calls: list[NaiveCall] = []
        self.hold_until = -math.inf
        self.changed_at = -math.inf

    def open_calls(self) -> list[NaiveCall]:
        return [call for call in self.calls if call.lease.id in self.account.open]

    def naive_allows(self, calls: int | None = None) -> bool:
        held = [c for c in self.calls if not c.refunded and c.ended_at + self.limits.per_s > self.now + ROUNDING_S]
        busy = [c for c in self.calls if not c.refunded and c.ended_at > self.now]
        limit = self.limits.calls if calls is None else calls
        return len(held) < limit and len(busy) < self.limits.parallel and self.now >= self.hold_until

    @rule(lane=st.sampled_from([Lane.URGENT, Lane.NORMAL]))
    def ask(self, lane: Lane) -> None:
        self.account.settle(self.now)
        allowed, surely = self.naive_allows(), self.naive_allows(self.account.calls_in_force)
        decision = self.account.take({lane: 1}, self.now)
        assert surely <= isinstance(decision, Lease) <= allowed
        if isinstance(decision, Lease):
            self.calls.append(NaiveCall(decision))
        else:
            assert decision.until > self.now

    @rule(per_s=st.sampled_from([1.0, 5.0, 10.0, 60.0]))
    def change_window(self, per_s: float) -> None:
        if per_s > self.limits.per_s:
            self.hold_until = max(self.hold_until, self.now) + per_s - self.limits.per_s
        self.limits = Limits(self.limits.calls, per_s, self.limits.parallel)
        self.changed_at, self.now = self.now, self.now + 0.001
        self.account.change_limits(self.limits, self.changed_at)

    @precondition(lambda self: self.open_calls())
    @rule(data=st.data(), end=st.sampled_from(End))
    def end(self, data: st.DataObject, end: End) -> None:
        call = data.draw(st.sampled_from(self.open_calls()))
        pause = self.account.give_back(call.lease, end, self.now, retry_after_s=5.0)
        assert (pause is not None) == (end is End.REFUSED)
        call.ended_at = self.now + (MARGIN_S if end is End.UNCERTAIN else 0.0)
        call.refunded = end is End.UNSENT
        if end is End.REFUSED:
            self.hold_until = max(self.hold_until, self.now + 5.0)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def end_again(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.calls))
        if call.lease.id not in self.account.open:
            assert self.account.give_back(call.lease, End.UNSENT, self.now) is None

    @rule(seconds=st.floats(0.01, 30.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def time_passes_until_the_told_date(self) -> None:
        decision = self.account.take({Lane.NORMAL: 1}, self.now)
        if isinstance(decision, Lease):
            self.calls.append(NaiveCall(decision))
        elif math.isfinite(decision.until):
            told_s, self.now = decision.until - self.now, decision.until
            unknown = told_s == pytest.approx(PATIENCE_S)  # it hangs on somebody's answer: look again in a second
            assert self.naive_allows() or unknown, "the told date was too early"

    @invariant()
    def no_window_holds_too_many(self) -> None:
        if not hasattr(self, "calls"):
            return
        counted = [c for c in self.calls if not c.refunded]
        for first in counted:  # the vendor counts each call at any instant from grant to end: the worst is assumed
            start = min(first.ended_at, self.now)
            end = start + self.limits.per_s - ROUNDING_S
            worst = [c for c in counted if c.granted_at < end and c.ended_at >= start]
            if any(c.granted_at > self.changed_at for c in worst):  # what went out before is as it is
                assert len(worst) <= self.limits.calls


TestAccountAgainstNaiveList = AccountAgainstNaiveList.TestCase
TestAccountAgainstNaiveList.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


class TheShortWay(RuleBasedStateMachine):
    """Two accounts live the same life; one is asked by `take_alone` where that may be, the other always by `take`."""

    @initialize(calls=st.integers(1, 5), parallel=st.integers(1, 4), reserve=st.integers(0, 1), per_s=st.floats(1, 60))
    def begin(self, calls: int, parallel: int, reserve: int, per_s: float) -> None:
        limits = Limits(calls, per_s, parallel)
        self.now = 1000.0
        self.short, self.long = (Account(limits, MARGIN_S, min(reserve, calls - 1)) for _ in range(2))

    @rule(lane=st.sampled_from(Lane))
    def ask_for_one(self, lane: Lane) -> None:
        short = self.short.take_alone(lane, self.now, "me") or self.short.take({lane: 1}, self.now, member="me")
        assert short == self.long.take({lane: 1}, self.now, member="me")

    @rule(asks=st.dictionaries(st.sampled_from(Lane), st.integers(1, 3)), member=st.sampled_from(["me", "me", "other"]))
    def ask_for_all(self, asks: dict[Lane, int], member: str) -> None:
        short, long = (one.take(asks, self.now, member=member, lease_s=20.0) for one in (self.short, self.long))
        assert short == long

    @precondition(lambda self: self.long.open)
    @rule(data=st.data(), end=st.sampled_from(End))
    def end(self, data: st.DataObject, end: End) -> None:
        lease = self.long.open[data.draw(st.sampled_from(sorted(self.long.open)))]
        assert self.short.give_back(lease, end, self.now) == self.long.give_back(lease, end, self.now)

    @rule(seconds=st.floats(0.01, 30.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(lane=st.sampled_from(Lane), ahead=st.integers(0, 3))
    def readiness_is_a_date_that_is_past(self, lane: Lane, ahead: int) -> None:
        self.short.settle(self.now)
        self.long.settle(self.now)
        assert self.long.is_ready(lane, self.now, ahead) == (self.long.ready_at(lane, ahead) <= self.now)

    @invariant()
    def the_accounts_are_equal(self) -> None:
        if hasattr(self, "long"):
            assert self.short == self.long


TestTheShortWay = TheShortWay.TestCase
TestTheShortWay.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def granted(account: Account, lane: Lane, now: float) -> Lease:
    lease = account.take({lane: 1}, now)
    assert isinstance(lease, Lease)
    return lease


def test_a_token_comes_home_a_window_after_the_answer_and_not_after_the_send() -> None:
    account = Account(Limits(1, 60.0, 1))
    account.give_back(granted(account, Lane.NORMAL, 0.0), End.ANSWERED, 20.0)
    assert account.take({Lane.NORMAL: 1}, 60.0) == Wait(80.0)
    granted(account, Lane.NORMAL, 80.0)


def test_a_lease_that_ran_out_a_window_ago_brings_its_token_home_at_the_first_look() -> None:
    account = Account(Limits(1, 1.0, 1))
    account.take({Lane.NORMAL: 1}, 0.0, lease_s=30.0)
    account.settle(31.0)
    assert account.tokens_free == 1
    granted(account, Lane.NORMAL, 31.0)


def test_fifty_429s_of_one_burst_make_one_pause() -> None:
    account = Account(Limits(100, 60.0, 100))
    leases = [granted(account, Lane.NORMAL, 0.0) for _ in range(50)]
    pauses = [account.give_back(lease, End.REFUSED, 1.0 + i / 100) for i, lease in enumerate(leases)]
    assert [pause.is_new for pause in pauses if pause] == [True] + [False] * 49
    assert account.hold_until == 61.0
    assert account.strikes == 1


def test_a_429_after_the_pause_climbs_the_ladder_and_a_success_steps_down() -> None:
    account = Account(Limits(100, 60.0, 100))
    now, waits = 0.0, []
    for _ in range(6):
        account.give_back(granted(account, Lane.NORMAL, now), End.REFUSED, now)
        waits.append(account.hold_until - now)
        now = account.hold_until
    assert waits == [60.0, 120.0, 240.0, 480.0, 960.0, 960.0]
    account.give_back(granted(account, Lane.NORMAL, now), End.ANSWERED, now)
    account.give_back(granted(account, Lane.NORMAL, now), End.REFUSED, now)
    assert account.hold_until - now == 60.0


def test_the_vendors_retry_after_wins_over_the_ladder() -> None:
    account = Account(Limits())
    account.give_back(granted(account, Lane.NORMAL, 0.0), End.REFUSED, 0.0, retry_after_s=7.0)
    assert account.hold_until == 7.0


def test_bulk_is_paced_evenly_and_the_others_are_not() -> None:
    account = Account(Limits(300, 60.0, 1000))
    for _ in range(10):
        granted(account, Lane.NORMAL, 100.0)
    now, dates = 100.0, []
    while len(dates) < 20:
        decision = account.take({Lane.BULK: 1}, now)
        if isinstance(decision, Lease):
            dates.append(now)
        else:
            now = decision.until
    gaps = [later - earlier for earlier, later in zip(dates[CATCH_UP + 1 :], dates[CATCH_UP + 2 :], strict=False)]
    assert all(gap == pytest.approx(0.2) for gap in gaps)


def test_the_reserve_is_left_alone_by_bulk() -> None:
    account = Account(Limits(5, 60.0, 100), reserve=2)
    now, bulk = 0.0, 0
    for _ in range(100):
        bulk += isinstance(account.take({Lane.BULK: 1}, now), Lease)
        now += 0.5
    assert bulk == 3
    granted(account, Lane.URGENT, now)


def test_a_ready_lane_that_is_passed_over_nine_times_goes_next() -> None:
    account = Account(Limits(10_000, 60.0, 10_000))
    order = []
    for step in range(200):
        lease = account.take({Lane.URGENT: 1, Lane.BULK: 1}, step * 1.0)
        assert isinstance(lease, Lease)
        order.append(lease.lane)
    assert order.count(Lane.BULK) == 200 // (PASSED_OVER + 1)


def test_eta_is_the_date_at_which_the_call_is_granted() -> None:
    account = Account(Limits(3, 60.0, 3))
    for at in (0.0, 1.0, 2.0):
        account.give_back(granted(account, Lane.NORMAL, at), End.ANSWERED, at + 0.5)
    assert [account.eta(Lane.NORMAL, ahead, 0, 1, 10.0) for ahead in range(5)] == [60.5, 61.5, 62.5, 120.5, 121.5]


def test_eta_of_bulk_counts_the_pace() -> None:
    account = Account(Limits(300, 60.0, 10))
    assert account.eta(Lane.BULK, 10, 10, 5, 0.0) == pytest.approx(14 * 0.2)


def test_lower_limits_take_effect_without_a_burst() -> None:
    account = Account(Limits(5, 60.0, 5))
    leases = [granted(account, Lane.NORMAL, 0.0) for _ in range(5)]
    account.limits = Limits(2, 60.0, 2)
    for lease in leases:
        account.give_back(lease, End.ANSWERED, 1.0)
    decision = account.take({Lane.NORMAL: 1}, 2.0)
    assert decision == Wait(61.0)


def test_in_a_longer_window_the_calls_of_the_shorter_one_still_count() -> None:
    """Three calls at 0, 61 and 62; from 63 three calls may go in any 120 s, not in any 60."""
    account, limits = Account(Limits(3, 60.0, 3)), Limits(3, 120.0, 3)
    for now in (0.0, 61.0, 62.0):
        lease = account.take({Lane.NORMAL: 1}, now)
        assert isinstance(lease, Lease)
        account.give_back(lease, End.ANSWERED, now)
    account.change_limits(limits, 63.0)
    assert [*account.homecoming()] == [181.0, 182.0]
    assert account.take({Lane.NORMAL: 1}, 63.0) == Wait(123.0)
    assert isinstance(account.take({Lane.NORMAL: 1}, 123.0), Lease)
    assert account.take({Lane.NORMAL: 1}, 123.0) == Wait(181.0)


def test_in_a_shorter_window_tokens_come_home_sooner_and_in_order() -> None:
    account = Account(Limits(3, 120.0, 3))
    leases = [account.take({Lane.NORMAL: 1}, 0.0) for _ in range(3)]
    account.give_back(leases[0], End.ANSWERED, 1.0)
    account.give_back(leases[1], End.UNCERTAIN, 2.0)
    account.change_limits(Limits(3, 60.0, 3), 5.0)
    account.give_back(leases[2], End.ANSWERED, 5.0)
    assert [*account.homecoming()] == [61.0, 65.0, 72.0]


def test_a_429_below_our_own_count_lowers_the_limit_and_it_creeps_back() -> None:
    account = Account(Limits(300, 60.0, 100))
    leases = [granted(account, Lane.NORMAL, 0.0) for _ in range(100)]
    for lease in leases[1:]:
        account.give_back(lease, End.ANSWERED, 1.0)
    pause = account.give_back(leases[0], End.REFUSED, 1.0, retry_after_s=60.0)
    assert pause is not None
    assert (pause.foreign_calls, pause.calls) == (200, 210)
    seen = []
    for window in range(6):
        account.settle(61.0 + 60 * window)
        seen.append(account.calls_in_force)
    assert seen == [210, 240, 270, 300, 300, 300]


def test_a_429_at_our_own_limit_lowers_it_only_a_little() -> None:
    account = Account(Limits(100, 60.0, 100))
    leases = [granted(account, Lane.NORMAL, 0.0) for _ in range(100)]
    pause = account.give_back(leases[0], End.REFUSED, 1.0)
    assert pause is not None
    assert (pause.foreign_calls, pause.calls) == (0, 95)


def test_the_limit_in_force_never_falls_below_a_tenth() -> None:
    account = Account(Limits(300, 60.0, 100))
    for _ in range(50):
        account._squeeze(0)
    assert account.calls_in_force == 30
