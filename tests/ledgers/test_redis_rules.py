"""The script against `Account`: random command sequences get the same answers, to the microsecond."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ongage_async.config import Lane, Limits
from ongage_async.governor import _redis_script as said
from ongage_async.governor._rules import Account, End, Lease, Member, Pause, Wait
from tests.ledgers.redis_server import RedisServer

MARGIN_S, RESERVE = 3.0, 1
NAMES = ("ann", "bob", "cid")
asks = st.dictionaries(st.sampled_from(Lane), st.integers(1, 3))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


def near(one: float, other: float) -> bool:
    return one == other or abs(one - other) < 1e-6


class ScriptAgainstAccount(RuleBasedStateMachine):
    server: RedisServer

    @initialize(calls=st.integers(2, 6), parallel=st.integers(1, 4), per_s=st.sampled_from([1.0, 10.0, 60.0]))
    def begin(self, calls: int, parallel: int, per_s: float) -> None:
        self.now = 1_700_000_000.25
        self.limits = Limits(calls, per_s, parallel)
        self.account = Account(self.limits, MARGIN_S, RESERVE)
        self.server.client.flushall()
        self.script = said.Script("test", self.limits, MARGIN_S, RESERVE)
        self.server.client.script_load(self.script.text)
        self.generation, self.leases = "", []
        self.told: str | None = None
        for name in NAMES:
            self.run("join", member=name)
            self.account.members[name] = Member(fresh_until=self.now)
        self.account._last_id = self.first_id = self.last_id
        self.heard = self.server.client.pubsub(ignore_subscribe_messages=True)
        self.heard.psubscribe("*wake:*")
        self.heard.get_message(timeout=1)

    def teardown(self) -> None:
        if hasattr(self, "heard"):
            self.heard.close()

    def run(self, op: str, *args: str, member: str = "ann") -> said.Answer:
        words = self.script.words(op, member, *args, generation=self.generation, now=self.now)
        keys = self.script.keys
        answer = said.Answer.read(self.server.client.evalsha(self.script.sha, len(keys), *keys, words))
        self.generation, self.last_id = answer.generation, answer.last_id
        return answer

    def woken(self) -> list[str]:
        self.server.client.ping()
        names = []
        while message := self.heard.get_message(timeout=0.001):
            names.append(message["channel"].decode().rpartition(":")[2])
        self.told = names[-1] if names else self.told
        return names

    def take(self, name: str, asked: dict[Lane, int], lease_s: float) -> Lease | Wait:
        known = set(self.account.members)
        self.woken()
        if self.told == name:
            self.told = None
        expected = self.account.take(dict(asked), self.now, member=name, lease_s=lease_s)
        self.account.next_up(self.now)
        answer = self.run("take", *said.take_args(asked, lease_s), member=name)
        got = said.read_decision(answer, name, lease_s)
        assert answer.is_strange == (name not in known)
        assert type(got) is type(expected)
        assert (got.members, got.rank) == (expected.members, expected.rank)
        if isinstance(got, Lease) and isinstance(expected, Lease):
            assert (got.id, got.member, got.lane) == (expected.id, expected.member, expected.lane)
            assert got.granted_at == expected.granted_at
            assert near(got.expires_at, expected.expires_at)
            assert near(got.ask_again_at, expected.ask_again_at)
            self.leases.append(got)
        elif isinstance(got, Wait) and isinstance(expected, Wait):
            assert near(got.until, expected.until)
        return got

    @rule(name=st.sampled_from(NAMES), asked=asks, lease_s=st.sampled_from([5.0, 70.0]))
    def ask(self, name: str, asked: dict[Lane, int], lease_s: float) -> None:
        self.take(name, asked, lease_s)

    @rule(name=st.sampled_from(NAMES), asked=st.dictionaries(st.sampled_from(Lane), st.integers(1, 9), min_size=1))
    def ask_until_told_to_wait(self, name: str, asked: dict[Lane, int]) -> None:
        while isinstance(got := self.take(name, asked, 30.0), Lease):
            pass
        if math.isfinite(got.until):
            self.now = max(self.now, got.until)

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(),
        end=st.sampled_from(End),
        retry_after_s=st.sampled_from([None, 0.5, 7.0]),
        stretch=st.sampled_from([1.0, 1.07]),
        forget=st.booleans(),
    )
    def give_back(
        self, data: st.DataObject, end: End, retry_after_s: float | None, stretch: float, forget: bool
    ) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        if forget:
            self.leases.remove(lease)
        expected = self.account.give_back(lease, end, self.now, retry_after_s=retry_after_s, stretch=stretch)
        self.account.next_up(self.now)
        args = said.give_back_args(lease, end, self.generation, retry_after_s=retry_after_s, stretch=stretch)
        answer = self.run("give_back", *args, member=lease.member)
        got = said.read_pause(answer)
        if isinstance(expected, Pause):
            assert got is not None
            assert near(got.until, expected.until)
            assert (got.strike, got.is_new, got.foreign_calls, got.calls, got.used) == (
                expected.strike,
                expected.is_new,
                expected.foreign_calls,
                expected.calls,
                expected.used,
            )
        else:
            assert got is None

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), lease_s=st.sampled_from([71.0, 90.0]))
    def renew(self, data: st.DataObject, lease_s: float) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        expected = self.account.renew(self.account.open.get(lease.id, lease), self.now, lease_s)
        answer = self.run("renew", *said.renew_args([lease], lease_s), member=lease.member)
        assert answer.words == ["1" if expected else "0"]

    @rule(for_s=st.floats(0.0, 20.0))
    def hold(self, for_s: float) -> None:
        self.account.hold(self.now + for_s)
        self.run("hold", *said.hold_args(for_s))

    @rule()
    def resume(self) -> None:
        self.account.resume()
        self.run("resume")

    @rule(calls=st.integers(2, 8), per_s=st.sampled_from([1.0, 10.0, 60.0]), parallel=st.integers(1, 5))
    def set_limits(self, calls: int, per_s: float, parallel: int) -> None:
        self.account.change_limits(Limits(calls, per_s, parallel), self.now)
        self.run("set_limits", *said.limits_args(Limits(calls, per_s, parallel)))

    @rule(seconds=st.floats(0.001, 30.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(name=st.sampled_from(NAMES))
    def whoever_is_next_is_woken_once_until_it_asks(self, name: str) -> None:
        self.take(name, {}, 5.0)
        told, next_up = self.told, self.account.next_up(self.now)
        assert self.woken() == ([next_up] if next_up and next_up != told else [])

    @invariant()
    def the_accounts_are_equal(self) -> None:
        if not hasattr(self, "heard"):
            return
        self.account.settle(self.now)
        account = self.account
        got = said.read_account(self.run("look"), MARGIN_S, RESERVE)
        assert got.limits == account.limits
        assert sorted(got.open) == sorted(account.open)
        assert list(got.homecoming()) == pytest.approx(list(account.homecoming()), abs=1e-6)
        assert got._late_places == pytest.approx(sorted(account._late_places), abs=1e-6)
        assert (got.strikes, got.calls_in_force) == (account.strikes, account.calls_in_force)
        assert near(got.hold_until, account.hold_until)
        for lane in Lane:
            assert near(got.ready_at(lane), account.ready_at(lane))


def test_the_script_answers_as_the_rules_do(server: RedisServer):
    ScriptAgainstAccount.server = server
    run_state_machine_as_test(
        ScriptAgainstAccount,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
