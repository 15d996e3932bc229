"""An outbox on a server: leases, servers that are away, and what is shown of a URL."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError, OutboxError
from ongage_async.outbox import Status
from ongage_async.outbox._redis import _moved_to
from tests.ledgers.redis_exam import one_server
from tests.ledgers.redis_server import RedisServer, cluster_of_two
from tests.outbox.exam import ALIVE_S, LEASE_S, Exam, call, passed
from tests.outbox.test_conformance import ALL, ids, status


@pytest.fixture
def kind() -> str:
    return "redis"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path, password="hush hush")
    yield made
    made.stop()


def test_a_late_truth_settles_what_was_given_up(exam: Exam):
    """A sender that only seemed dead knows how its send ended: unless a person was faster, its word counts."""
    sleeper, decided = exam.open_one(), exam.open_one()
    for store, name in ((sleeper, "told"), (decided, "decided")):
        store.put(call(name))
        store.claim({Lane.NORMAL: 1})
        store.begin(name)
    time.sleep(LEASE_S + 0.01)
    heir = exam.open_one()
    heir.claim(ALL)
    assert [status(heir, name) for name in ("told", "decided")] == [Status.UNCERTAIN] * 2
    heir.decide("decided", Status.DISCARDED)
    sleeper.settle("told", Status.SENT)
    decided.settle("decided", Status.SENT)
    assert [status(heir, name) for name in ("told", "decided")] == [Status.SENT, Status.DISCARDED]


def test_a_sender_that_only_slept_finds_its_entries_taken(exam: Exam):
    """It sends nothing of what another may be sending."""
    sleeper = exam.open_one()
    sleeper.put(call("one"))
    sleeper.claim(ALL)
    time.sleep(LEASE_S + 0.01)
    heir = exam.open_one()
    assert ids(heir.claim(ALL)) == ["one"]
    assert (sleeper.begin("one"), heir.begin("one")) == (False, True)


def test_what_was_claimed_in_an_answer_that_was_lost_is_claimed_again(exam: Exam):
    """The server gave it to us and we do not know: when the lease is over we are given it once more."""
    store = exam.open_one()
    store.put(call("one"))
    store.claim(ALL)
    time.sleep(LEASE_S + 0.01)
    assert ids(store.claim(ALL)) == ["one"]
    assert store.begin("one") is True
    time.sleep(LEASE_S + 0.01)
    assert ids(store.claim(ALL)) == []  # ours, and on its way
    assert status(store, "one") is Status.SENDING


def test_all_keys_are_on_one_node_of_a_cluster(exam: Exam):
    store = exam.open_one()
    store.put(call("one", key="k", expires_in_s=60))
    store.claim(ALL)
    store.begin("one")
    store.settle("one", Status.SENT)
    keys = one_server().client.keys(f"*{exam.account}*")
    assert len(keys) >= 8
    assert {key.partition(b"}")[0] for key in keys} == {b"ongage:outbox:{" + exam.account.encode()}


def test_nothing_is_left_of_what_is_forgotten(exam: Exam):
    store = exam.open_one()
    store.put(call("one", key="k", expires_in_s=60, arguments='["john@doe.com"]'))
    store.claim(ALL)
    store.begin("one")
    store.settle("one", Status.SENT)
    time.sleep(0.01)
    store.sweep((), 0.001)
    client, prefix = one_server().client, f"ongage:outbox:{{{exam.account}}}:"
    left = {key.decode().removeprefix(prefix) for key in client.keys(f"{prefix}*")}
    assert left == {"lane:0", "lane:1", "lane:2", "numbers"}
    assert client.xlen(f"{prefix}lane:1") == 0


def test_names_of_dead_senders_do_not_pile_up(exam: Exam):
    for number in range(5):
        store = exam.open_one(lease_s=0.001)
        store.put(call(f"{number}"))
        store.claim(ALL)
        store.begin(f"{number}")
        store.settle(f"{number}", Status.SENT)
        store.close()
        time.sleep(0.015)
    exam.open_one(lease_s=0.001)
    told = one_server().client.xinfo_groups(f"ongage:outbox:{{{exam.account}}}:lane:1")
    assert told[0]["consumers"] <= 1


def test_a_server_that_comes_back_is_used_again(exam: Exam, server: RedisServer):
    """A connection that ended in silence costs one step nothing; a server that is away is an OutboxError."""
    exam.url = f"redis://:hush%20hush@127.0.0.1:{server.port}/0"
    store = exam.open_one()
    server.client.client_kill_filter(skipme=True)
    assert store.put(call("one")) == "one"
    server.stop()
    with pytest.raises(OutboxError, match="cannot be reached"):
        store.get("one")
    server.start()
    assert store.put(call("two")) == "two"


def test_a_server_that_became_a_replica_is_asked_by_a_new_connection(exam: Exam, server: RedisServer):
    """After a failover the name leads to another server; an old connection would stay with this one for ever."""
    exam.url = f"redis://:hush%20hush@127.0.0.1:{server.port}/0"
    store = exam.open_one()
    server.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    before = server.client.info("stats")["total_connections_received"]
    for _ in range(2):
        with pytest.raises(OutboxError, match="replica"):
            store.put(call("one"))
    assert server.client.info("stats")["total_connections_received"] > before
    server.client.execute_command("REPLICAOF", "NO", "ONE")
    assert store.put(call("one")) == "one"


def test_a_step_whose_connection_is_lost_is_repeated_once_unless_it_must_not_be(
    exam: Exam, monkeypatch: pytest.MonkeyPatch
):
    """A second `begin` would find the entry begun, and take it for somebody else's."""
    store = exam.open_one()
    evaluate, losses = store._client.evalsha, []

    def lose_the_answer(*words: Any) -> Any:
        answer = evaluate(*words)
        if not losses:
            losses.append(words)
            raise ConnectionResetError
        return answer

    monkeypatch.setattr(store._client, "evalsha", lose_the_answer)
    assert store.put(call("one")) == "one"
    store.claim(ALL)
    losses.clear()
    with pytest.raises(OutboxError, match="cannot be reached"):
        store.begin("one")
    store.keep("one")  # what a sender does then: it was not sent
    assert store.begin("one") is True


def test_an_entry_that_was_deleted_by_hand_stops_no_other(exam: Exam):
    """Whether it waits, is late, or was claimed by one who died: a step that fails at it would fail for ever."""
    client, prefix = one_server().client, f"ongage:outbox:{{{exam.account}}}:"
    dead = exam.open_one()
    for name in ("claimed", "kept"):
        dead.put(call(name))
    assert ids(dead.claim(ALL)) == ["claimed", "kept"]
    for name in ("late", "waits"):
        dead.put(call(name, expires_in_s=0.005))
    dead.put(call("next"))
    client.delete(*(f"{prefix}entry:{name}" for name in ("claimed", "late", "waits")))
    time.sleep(LEASE_S + 0.01)
    heir = exam.open_one()
    heir.sweep((), 60)
    assert heir.statistics().oldest_queued_s >= 0
    assert ids(heir.claim(ALL)) == ids(heir.page(None, 0, 9)) == ["kept", "next"]
    assert heir.statistics().queued == 2
    assert client.xlen(f"{prefix}lane:1") == 2


def test_what_a_dead_sender_had_is_found_behind_all_that_the_living_have(exam: Exam):
    """A look of Redis passes over ten entries for each that is wanted, and would begin at the same ten each time."""
    living, dead = exam.open_one(lease_s=ALIVE_S), exam.open_one(lease_s=ALIVE_S)
    rest = [f"{number}" for number in range(30)]
    for name in rest:
        living.put(call(name))
    assert ids(living.claim(ALL)) == rest
    living.put(call("one"))
    assert ids(dead.claim(ALL)) == ["one"]
    for _ in passed(1.2 * ALIVE_S):
        living.sweep(rest, 60)
    assert ids(living.claim({Lane.NORMAL: 1})) == ["one"]


def test_a_server_that_evicts_is_refused(exam: Exam, tmp_path: Path):
    """It would throw receipts away when its memory is short."""
    server = RedisServer(tmp_path, "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
    try:
        exam.url = server.url
        with pytest.raises(ConfigurationError, match="allkeys-lru"):
            exam.open_one()
        for name, value in (("maxmemory-policy", "volatile-lru"), ("maxmemory-policy", "noeviction")):
            server.client.config_set(name, value)
            exam.open_one().put(call(value))
        exam.close()
        exam._opened.clear()
    finally:
        server.stop()


def test_no_secret_is_shown(exam: Exam, server: RedisServer):
    for url in (f"redis://app:wr0ng@127.0.0.1:{server.port}/0", "redis://app:wr0ng@127.0.0.1:1/0"):
        exam.url = url
        with pytest.raises(OutboxError) as caught:
            exam.open_one()
        assert "wr0ng" not in str(caught.value) + repr(caught.value)
        assert str(caught.value.__context__ is None or caught.value.__suppress_context__) == "True"


@pytest.mark.parametrize("bad", ["redis://h/some/path", "redis://h:port/0", "redis://h/0?socket_timeout=soon"])
def test_a_url_that_cannot_be_read_says_how_it_looks(bad: str):
    with pytest.raises(ConfigurationError, match="redis://host:6379/0"):
        Exam("redis", bad).open_one()


def test_the_node_of_a_cluster_that_has_the_account_is_found(tmp_path: Path):
    """All steps run there, whichever node the URL names."""
    with cluster_of_two(tmp_path) as (one, two):
        exam = Exam("redis", one.url)
        store = exam.open_one()
        store.put(call("one", key="k", expires_in_s=60))
        assert ids(store.claim(ALL)) == ["one"]
        assert store.begin("one") is True
        store.settle("one", Status.SENT)
        store.sweep((), 0.000001)
        assert store.statistics().sent == len(store.page(None, 0, 9)) == 0
        exam.close()
        assert two.calls() > 0


def test_a_clusters_word_where_the_account_lives_is_read():
    import redis

    assert _moved_to(redis.ResponseError("MOVED 3999 127.0.0.1:6381")) == ("127.0.0.1", 6381)
    assert _moved_to(redis.ResponseError("ERR something else")) is None
