"""An account in a FastAPI app: opened and closed with it, given to requests, its errors answered."""

import logging
import math
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
from fastapi import Depends, FastAPI

from ongage_async import (
    APIError,
    AuthenticationError,
    BudgetError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    DecodeError,
    EntryError,
    Governor,
    InvalidInputError,
    Lane,
    Limits,
    NotFoundError,
    OngageClient,
    OngageError,
    OutboxError,
    Outcome,
    RateLimitedError,
    ResponseTimeoutError,
    RetryPolicy,
    ServerError,
    ValidationError,
)
from ongage_async.bulk import Coalesced
from ongage_async.emulator import Emulator, Fault
from ongage_async.integrations.fastapi import Ongage, handle_errors, or_later, problem_of
from ongage_async.integrations.fastapi._views import patience_s
from tests.integrations.apps import running
from tests.support import client_of

pytestmark = pytest.mark.anyio


def app_of(ongage: Ongage) -> FastAPI:
    """Make an app with one route, which tells how many lists there are."""
    app = FastAPI(lifespan=ongage.lifespan)
    handle_errors(app, job_path="/jobs/{id}")

    @app.get("/lists")
    async def lists(client: Annotated[OngageClient, Depends(ongage.view(max_wait_s=0.0))]) -> int | None:
        return (await client.lists.page()).total

    return app


# -- coming and going -------------------------------------------------------------------------------------------------


async def test_the_client_is_open_while_the_app_runs_and_not_longer(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator))
    with pytest.raises(ConfigurationError, match="run the app with its lifespan"):
        ongage.client.lists  # noqa: B018 - looking is what is refused
    for _ in range(2):  # an app may be started again
        async with running(app_of(ongage)) as visitor:
            assert (await visitor.get("/lists")).json() == 1
            client = ongage.client
        with pytest.raises(ConfigurationError, match="closed"):
            await client.lists.page()


async def test_one_account_is_not_opened_by_two_apps(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator))
    async with running(app_of(ongage)) as visitor:
        with pytest.raises(ConfigurationError, match="open already"):
            async with running(app_of(ongage)):
                pass
        assert (await visitor.get("/lists")).status_code == 200


async def test_an_app_that_could_not_start_can_be_started_when_that_is_mended(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator))
    contacts = ongage.coalesced(max_rows=0)
    with pytest.raises(InvalidInputError, match="max_rows"):
        async with running(app_of(ongage)):
            pass
    ongage._joined.remove(contacts)
    async with running(app_of(ongage)) as visitor:
        assert (await visitor.get("/lists")).status_code == 200


async def test_rows_that_wait_are_sent_when_the_app_ends(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator))
    contacts = ongage.coalesced(max_delay_s=30.0)
    async with anyio.create_task_group() as visitors, running(app_of(ongage)):
        for number in range(3):
            visitors.start_soon(contacts.contacts.upsert, {"email": f"visitor{number}@doe.com"})
        await anyio.sleep(0.01)
        assert ongage_emulator.witness.count("contacts.create") == 0
    assert len(ongage_emulator.state.default_list.contacts) == 3
    with pytest.raises(ConfigurationError, match="not open"):
        await contacts()


@pytest.mark.virtual_time
async def test_the_end_of_an_app_does_not_wait_for_a_long_pause(caplog: pytest.LogCaptureFixture):
    """A worker is killed when its grace is over: it should end by itself before that."""
    emulator = Emulator()
    async with emulator.http_client() as http_client:
        ongage = Ongage(lambda: client_of(emulator, http_client=http_client), drain_s=20.0)
        contacts = ongage.coalesced(max_delay_s=0.0)
        async with anyio.create_task_group() as visitors:
            async with running(app_of(ongage)):
                await ongage.client.governor.pause(600.0)
                visitors.start_soon(contacts.contacts.upsert, {"email": "john@doe.com"})
                await anyio.sleep(1.0)
                ends_at = anyio.current_time()
            assert anyio.current_time() - ends_at == pytest.approx(20.0)
            visitors.cancel_scope.cancel()
        await anyio.sleep(1000.0)
    assert "not everything was sent" in caplog.text


@pytest.mark.parametrize(("workers", "shared", "warned"), [("4", False, True), ("4", True, False), ("1", False, False)])
async def test_several_workers_without_a_shared_budget_are_warned_of(
    ongage_emulator: Emulator, caplog: Any, monkeypatch: Any, tmp_path: Any, workers: str, shared: bool, warned: bool
):
    monkeypatch.setenv("WEB_CONCURRENCY", workers)
    governor = {"governor": f"file://{tmp_path}/ongage.ledger"} if shared else {}
    ongage = Ongage(lambda: client_of(ongage_emulator, **governor))
    with caplog.at_level(logging.WARNING, "ongage_async"):
        async with running(app_of(ongage)):
            pass
    assert ("this worker has a budget of its own" in caplog.text) == warned


# -- dependencies -----------------------------------------------------------------------------------------------------


async def test_a_view_takes_lane_tenant_list_and_patience_from_the_request(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator, list_id=60299))
    app = FastAPI(lifespan=ongage.lifespan)
    of_request = ongage.view(
        lane=lambda request: Lane[request.query_params["lane"]],
        tenant=lambda request: request.headers["x-shop"],
        list_id=lambda request: int(request.query_params["list"]),
        max_wait_s=5.0,
        deadline_header="x-patience-ms",
    )
    seen: list[Any] = []

    @app.get("/")
    async def look(client: Annotated[OngageClient, Depends(of_request)]) -> None:
        seen.append(client._options)

    async with running(app) as visitor:
        for patience in ({}, {"x-patience-ms": "1500"}, {"x-patience-ms": "9000"}):
            headers = {"x-shop": "north", **patience}
            assert (await visitor.get("/?lane=BULK&list=7", headers=headers)).status_code == 200
    assert {(each.lane, each.tenant, each.list_id) for each in seen} == {(Lane.BULK, "north", 7)}
    assert [each.max_wait_s for each in seen] == [5.0, 1.5, 5.0]


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("x-max-wait-s", "2.5", 2.5),
        ("X-Envoy-Expected-RQ-Timeout-MS", "2500", 2.5),
        ("x-max-wait-s", "-3", 0.0),
        *(("x-max-wait-s", nothing, None) for nothing in (None, "", "soon", "nan", "inf")),
    ],
)
async def test_patience_is_read_from_a_header(header: str, value: str | None, seconds: float | None):
    assert patience_s(header, value) == seconds


async def test_sign_ups_of_one_instant_share_calls(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator))
    signups = ongage.coalesced(max_rows=20, max_delay_s=0.05, lane=Lane.URGENT)
    app = app_of(ongage)

    @app.post("/signups/{email}")
    async def sign_up(email: str, contacts: Annotated[Coalesced, Depends(signups)]) -> str:
        return (await contacts.upsert({"email": email})).kind

    answers: list[str] = []
    async with running(app) as visitor:

        async def visit(number: int) -> None:
            answers.append((await visitor.post(f"/signups/visitor{number}@doe.com")).json())

        async with anyio.create_task_group() as visitors:
            for number in range(40):
                visitors.start_soon(visit, number)
        lanes = (await ongage.client.governor.statistics()).lanes
    assert answers == ["created"] * 40
    assert ongage_emulator.witness.count("contacts.create") <= 4
    assert lanes[Lane.URGENT].granted == ongage_emulator.witness.count("contacts.create")


# -- answers ----------------------------------------------------------------------------------------------------------

UNKNOWN, NOT_SENT, REJECTED = Outcome.UNKNOWN, Outcome.NOT_SENT, Outcome.REJECTED


@pytest.mark.parametrize(
    ("error", "status", "retry_after_s"),
    [
        (BudgetError("", retry_after_s=2.01), 503, 3),
        (BudgetError("", retry_after_s=3.0), 503, 3),
        (BudgetError("", retry_after_s=0.0), 503, 1),
        (BudgetError("", retry_after_s=math.inf), 503, None),
        (RateLimitedError("", status=429, retry_after_s=59.2), 503, 60),
        (NotFoundError("", status=404), 404, None),
        (ValidationError("", status=412), 422, None),
        (InvalidInputError(""), 422, None),
        (ServerError("Validation error", status=500), 422, None),
        (ServerError("", status=503, retry_after_s=60.0), 502, None),
        (ConnectionLostError(""), 502, None),
        (ConnectError(""), 502, None),
        (DecodeError(""), 502, None),
        (ResponseTimeoutError(""), 504, None),
        (AuthenticationError("", status=401), 500, None),
        (ConfigurationError(""), 500, None),
        (OutboxError(""), 500, None),
        (EntryError("", outcome=Outcome.UNKNOWN), 502, None),
        (APIError("", status=418), 502, None),
        (OngageError(""), 502, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_each_error_has_its_status(error: OngageError, status: int, retry_after_s: int | None):
    problem = problem_of(error)
    assert (problem.status, problem.retry_after_s) == (status, retry_after_s)
    assert problem.headers == ({} if retry_after_s is None else {"Retry-After": str(retry_after_s)})
    assert problem.as_json()["outcome"] == error.outcome


async def test_a_retry_is_not_invited_where_it_may_do_things_twice():
    uncertain = BudgetError("", retry_after_s=5.0, outcome=UNKNOWN)
    assert problem_of(uncertain).headers == {}
    assert "may have been done" in problem_of(uncertain).detail


@pytest.mark.virtual_time
async def test_whoever_comes_back_after_retry_after_is_let_through():
    emulator = Emulator(calls=2, per_s=10.5)
    async with emulator.http_client() as http_client:
        limits = Limits(2, per_s=10.5)
        ongage = Ongage(lambda: client_of(emulator, http_client=http_client, governor=Governor(limits)))
        async with running(app_of(ongage)) as visitor:
            assert [(await visitor.get("/lists")).status_code for _ in range(3)] == [200, 200, 503]
            await anyio.sleep(4.0)
            refused = await visitor.get("/lists")
            wait_s = int(refused.headers["retry-after"])
            assert wait_s == 7, "6.5 s are left, and a header holds whole seconds"
            assert refused.json()["outcome"] == "not_sent"
            assert refused.headers["content-type"] == "application/problem+json"
            await anyio.sleep(wait_s)
            assert (await visitor.get("/lists")).status_code == 200
    assert emulator.witness.count(status=429) == 0


FAULTS: list[tuple[Fault, int, Outcome]] = [
    (Fault.status(503, after_execution=True), 502, UNKNOWN),
    (Fault.drop(), 502, UNKNOWN),
    (Fault.garbage(), 502, UNKNOWN),
    (Fault.status(404), 404, REJECTED),
    (Fault.status(412), 422, REJECTED),
    (Fault.status(401), 500, REJECTED),
]


@pytest.mark.parametrize(("fault", "status", "outcome"), FAULTS, ids=lambda value: getattr(value, "name", str(value)))
async def test_what_the_vendor_does_is_told_with_its_outcome(
    ongage_emulator: Emulator, fault: Fault, status: int, outcome: Outcome
):
    ongage = Ongage(lambda: client_of(ongage_emulator, retry=RetryPolicy.none()))
    ongage_emulator.faults.add("lists.page", fault)
    async with running(app_of(ongage)) as visitor:
        answer = await visitor.get("/lists")
    assert (answer.status_code, answer.json()["outcome"]) == (status, outcome)
    assert answer.json()["operation"] == "lists.page"


async def test_an_answer_that_does_not_come_in_time_is_504(ongage_emulator: Emulator):
    ongage_emulator.latency = 2.0
    ongage = Ongage(lambda: client_of(ongage_emulator, retry=RetryPolicy.none(), timeout_s=0.4))
    async with running(app_of(ongage)) as visitor:
        answer = await visitor.get("/lists")
    assert (answer.status_code, answer.json()["outcome"]) == (504, UNKNOWN)


async def test_answers_hold_neither_secrets_nor_addresses(ongage_emulator: Emulator, caplog: pytest.LogCaptureFixture):
    """What the vendor objects to is told, masked, to whom it concerns; what fails behind the app is not."""
    body = {
        "message": "no john@doe.com",
        "errors": {"email": "john@doe.com is bad", "url": "https://x.test/f?sig=5ecret"},
    }
    envelope = {"metadata": {"error": True}, "payload": {"code": 412, **body}}
    made = ongage_emulator.credentials
    ongage = Ongage(lambda: client_of(ongage_emulator, retry=RetryPolicy.none()))
    texts = []
    async with running(app_of(ongage)) as visitor:
        for status in (412, 404, 500, 401, 502):
            rule = ongage_emulator.faults.add("lists.page", Fault.status(status, envelope))
            answer = await visitor.get("/lists")
            ongage_emulator.faults.remove(rule)
            texts += [answer.text, str(answer.headers)]
            if status in (500, 401, 502):
                assert "bad" not in answer.text, "the vendor's words are for the log"
    told = "".join(texts) + caplog.text
    assert "is bad" in told, "the objection itself is told"
    secrets = ("john", "5ecret", made.username, made.password, made.account_code)
    assert [secret for secret in secrets if secret in told] == []


# -- later ------------------------------------------------------------------------------------------------------------


class Kept:
    """What keeps things for later, in a list."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.id = ""

    async def put(self, *args: Any, **options: Any) -> "Kept":
        self.rows.append((args, options))
        self.id = f"job {len(self.rows)}"
        return self


def app_that_keeps(ongage: Ongage, kept: Kept) -> FastAPI:
    app = app_of(ongage)

    @app.get("/kept")
    async def page(client: Annotated[OngageClient, Depends(ongage.view(max_wait_s=0.0))]) -> int | None:
        async with or_later(kept.put, "lists.page", key="once"):
            return (await client.lists.page()).total

    return app


async def test_what_the_budget_refuses_is_put_away_and_answered_202(ongage_emulator: Emulator):
    kept = Kept()
    ongage = Ongage(lambda: client_of(ongage_emulator, limits=Limits(1)))
    async with running(app_that_keeps(ongage, kept)) as visitor:
        assert (await visitor.get("/kept")).json() == 1
        later = await visitor.get("/kept")
    assert (later.status_code, later.json()["job"], later.headers["location"]) == (202, "job 1", "/jobs/job%201")
    assert kept.rows == [(("lists.page",), {"key": "once"})]


async def test_what_the_vendor_refuses_for_its_rate_is_put_away_too(ongage_emulator: Emulator):
    kept = Kept()
    ongage = Ongage(lambda: client_of(ongage_emulator))
    ongage_emulator.faults.add("lists.page", Fault.status(429))
    async with running(app_that_keeps(ongage, kept)) as visitor:
        assert (await visitor.get("/kept")).status_code == 202
    assert len(kept.rows) == 1


@pytest.mark.parametrize("fault", [Fault.status(503, after_execution=True), Fault.drop(), Fault.status(412)])
async def test_what_may_have_been_done_or_never_will_be_is_not_put_away(ongage_emulator: Emulator, fault: Fault):
    kept = Kept()
    ongage = Ongage(lambda: client_of(ongage_emulator, retry=RetryPolicy.none()))
    ongage_emulator.faults.add("lists.page", fault)
    async with running(app_that_keeps(ongage, kept)) as visitor:
        assert (await visitor.get("/kept")).status_code in (422, 502)
    assert kept.rows == []


async def test_an_outbox_is_something_that_keeps(ongage_emulator: Emulator, tmp_path: Path):
    ongage = Ongage(lambda: client_of(ongage_emulator))
    ongage_emulator.state.messages.add_email(118, subject="Receipt")
    app = app_of(ongage)

    @app.post("/receipts/{email}")
    async def send(email: str, client: Annotated[OngageClient, Depends(ongage.view(max_wait_s=0.0))]) -> int | None:
        async with or_later(app.state.outbox.transactional.send, 118, email):
            return (await client.transactional.send(118, email)).success

    sent = ongage_emulator.state.messages.outbox
    async with running(app) as visitor, ongage.client.outbox(f"sqlite://{tmp_path}/outbox.db") as app.state.outbox:
        assert (await visitor.post("/receipts/john@doe.com")).json() == 1
        await ongage.client.governor.pause(60.0)
        later = await visitor.post("/receipts/jane@doe.com")
        assert (later.status_code, len(sent)) == (202, 1)
        await ongage.client.governor.resume()
        handle = await app.state.outbox.get(later.json()["job"])
        assert (await handle.wait(timeout_s=10.0)).success == 1
    assert [message.recipient for message in sent] == ["john@doe.com", "jane@doe.com"]
