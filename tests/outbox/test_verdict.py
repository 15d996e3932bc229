"""The rule what becomes of an entry whose attempt failed, and the calls that can be kept at all."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import anyio
import pytest

from ongage_async import NewContact, Repeat, RetryPolicy, errors
from ongage_async._operation import Answer
from ongage_async._retry import History
from ongage_async.errors import InvalidInputError, Outcome
from ongage_async.outbox import Status
from ongage_async.outbox._calls import KINDS, Reading, as_json, glance, make, rows_as_json
from ongage_async.outbox._verdict import LAST_STEP_S, LONGEST_REFUSAL_S, SOON_S, verdict

POLICY = RetryPolicy(ladder_s=(10.0, 20.0), connection_ladder_s=(1.0, 2.0), jitter=0.0)
EVERY = tuple(Repeat)
ONCE = (Repeat.NEVER, Repeat.IF_UNSENT)


@pytest.mark.parametrize(
    ("error", "classes", "expected"),
    [
        (errors.InvalidInputError("no rows"), EVERY, Status.REJECTED),
        (errors.ValidationError("no", status=412), EVERY, Status.REJECTED),
        (errors.NotFoundError("no", status=404), EVERY, Status.REJECTED),
        (errors.PermissionDeniedError("no", status=403), EVERY, Status.REJECTED),
        (errors.AuthenticationError("no", status=401), EVERY, 10.0),
        (errors.RateLimitedError("busy", status=429), EVERY, 0.0),
        (errors.BudgetError("full", retry_after_s=7.0), EVERY, 7.0),
        (errors.BudgetError("full", retry_after_s=900.0), EVERY, LONGEST_REFUSAL_S),
        (errors.BudgetError("full", retry_after_s=0.0), EVERY, 0.05),
        (errors.OutboxError("the store is away"), EVERY, SOON_S),
        (errors.ConfigurationError("the client is closed"), EVERY, SOON_S),
        (errors.ConnectError("refused"), EVERY, 1.0),
        (errors.ServerError("down", status=503), ONCE, Status.UNCERTAIN),
        (errors.ServerError("down", status=503), (Repeat.SAFE,), 10.0),
        (errors.ServerError("Validation error", status=500), ONCE, Status.UNCERTAIN),
        (errors.ServerError("Validation error", status=500), (Repeat.SAFE,), Status.REJECTED),
        (errors.ResponseTimeoutError("silence"), ONCE, Status.UNCERTAIN),
        (errors.ResponseTimeoutError("silence"), (Repeat.SAFE,), 10.0),
        (errors.ConnectionLostError("lost"), ONCE, Status.UNCERTAIN),
        (errors.ConnectionLostError("lost"), (Repeat.SAFE,), 1.0),
        (errors.ConnectionLostError("lost", outcome=Outcome.NOT_SENT), EVERY, 1.0),
        (errors.DecodeError("garbage"), EVERY, Status.UNCERTAIN),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_becomes_of_a_failed_attempt(error: errors.OngageError, classes: Any, expected: object):
    """Certain and not done: it stays. Uncertain: repeated if that does no harm, else a person's."""
    for repeat in classes:
        assert verdict(error, repeat, POLICY, History().after(error), 0.0) == expected


@pytest.mark.parametrize("policy", [POLICY, RetryPolicy.none()])
def test_what_stays_is_not_given_up_when_the_ladder_is_used_up(policy: RetryPolicy):
    """Each ladder by its own last step: after a connection that was refused that is much sooner than after a 5xx."""
    last_s = policy.ladder_s[-1] if policy.ladder_s else LAST_STEP_S
    soon_s = policy.connection_ladder_s[-1] if policy.connection_ladder_s else LAST_STEP_S
    for error, step_s in (
        (errors.ServerError("down", status=503), last_s),
        (errors.ConnectError("refused"), soon_s),
        (errors.ConnectionLostError("lost"), soon_s),
    ):
        history = History()
        for _ in range(50):
            history = history.after(error)
        assert verdict(error, Repeat.SAFE, policy, history, 0.0) == step_s
    refused = errors.AuthenticationError("no", status=401)
    assert verdict(refused, Repeat.NEVER, policy, History(failures=9), 0.0) == last_s


def test_the_same_arguments_are_the_same_text():
    """Else the second put under a key would be refused as another call."""
    one = as_json("transactional.send", {"message_id": 7, "recipients": ("a@doe.com",), "list_id": None})
    two = as_json("transactional.send", {"recipients": ["a@doe.com"], "message_id": 7})
    assert one == two == '{"message_id": 7, "recipients": ["a@doe.com"]}'
    many = {f"{number}@doe.com" for number in range(10)}  # a set has another order in each process
    assert as_json("transactional.send", {"recipients": many}) == as_json("x.y", {"recipients": sorted(many)})


def test_a_time_is_kept_as_the_instant_that_it_is():
    there = datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert as_json("x.y", {"at": there}) == as_json("x.y", {"at": datetime(2030, 1, 1, tzinfo=UTC)})
    with pytest.raises(InvalidInputError, match="time zone"):
        as_json("x.y", {"at": datetime(2030, 1, 1)})  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("bad", [object(), float("inf"), b"bytes", {1: 2, "a": 3}])
def test_what_json_cannot_hold_is_refused_without_being_shown(bad: object):
    with pytest.raises(InvalidInputError) as caught:
        as_json("contacts.create", {"contacts": [{"email": "john@doe.com", "x": bad}]})
    assert "john" not in str(caught.value)


def test_a_row_is_kept_whole():
    row = NewContact("a@doe.com", {"name": "Ada"}, "5c0ffee", overwrite=False)
    [kept] = rows_as_json([row], are_new=False)
    assert NewContact.of(json.loads(json.dumps(kept))) == row


def test_what_is_sent_is_what_the_clients_method_sends():
    """The call that is made from the kept arguments is, byte for byte, the one of the arguments as they were given."""
    arguments: dict[str, Any] = {
        "recipients": ("a@doe.com", "b@doe.com"),
        "subject": "Grüße",
        "content_text": "Hi",
        "addresses": {"from_name": "Me"},
        "schedule_date": datetime(2030, 1, 1, tzinfo=UTC),
        "check_status": False,
        "message_dynamic_fields": {"n": 1.5, "none": None},
        "list_id": 7,
    }
    seen: list[Any] = []

    class Noting:
        async def call(self, operation: Any, **parts: Any) -> Answer:
            seen.append((operation, parts))
            return Answer({"success": 2})

    kind = "transactional.send_embed_content"
    anyio.run(make, kind, arguments, Noting())
    anyio.run(make, kind, json.loads(as_json(kind, arguments)), Noting())
    assert seen[0] == seen[1]
    assert anyio.run(glance, kind, as_json(kind, arguments)).repeat is Repeat.NEVER


def test_a_kept_answer_is_read_like_a_fresh_one():
    kept = Reading({"payload": {"success": "1", "failed": 0}, "metadata": {}, "status": 200})
    result = anyio.run(make, "transactional.send", {"message_id": 7, "recipients": "a@doe.com"}, kept)
    assert (result.success, result.failed) == (1, 0)


def test_only_calls_with_one_effect_can_be_kept():
    assert len(KINDS) == 9
    for kind in ("contacts.upsert_many", "transactional.send_many", "imports.run", "contacts", "", "contacts._change"):
        with pytest.raises(InvalidInputError, match="can"):
            anyio.run(glance, kind, "{}")
