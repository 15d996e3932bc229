"""The token: got when needed, renewed once for all when it grows old, and the key in bodies only."""

import time

import anyio
import httpx
import pytest

from ongage_async import (
    AuthenticationError,
    BudgetError,
    ConfigurationError,
    Governor,
    Limits,
    OwnpageClient,
    OwnpageCredentials,
    RetryPolicy,
    ServerError,
)
from ongage_async.emulator import Fault
from ongage_async.emulator.ownpage import OwnpageEmulator
from ongage_async.errors import DecodeError
from ongage_async.ownpage import OwnpageToken
from tests.client.conftest import Wire
from tests.ownpage.conftest import client_of

pytestmark = pytest.mark.anyio


def tokens_made(emulator: OwnpageEmulator) -> int:
    return emulator.witness.count("tokens.create", executed=True)


async def test_a_token_is_got_with_the_first_call_by_json(
    ownpage: OwnpageClient, wire: Wire, emulator: OwnpageEmulator
):
    await ownpage.lists.page()
    await ownpage.counts.get()
    assert [sent.line for sent in wire.sent] == [
        "POST /v1/token",
        "GET /v1/newsletters/lists",
        "GET /v1/newsletters/lists/123/subscribers/count",
    ]
    asked = wire.sent[0]
    assert asked.query == {}
    assert asked.body == {"username": emulator.customer.username, "password": emulator.customer.api_key}
    assert "x-ownpage-client-token" not in asked.headers
    assert {sent.headers["x-ownpage-client-token"] for sent in wire.sent[1:]} == {"emulated-token-000001"}


async def test_a_hundred_first_calls_make_one_token(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(ownpage.lists.page)
    assert tokens_made(emulator) == 1
    assert emulator.witness.count("lists.page", status=200) == 100
    assert emulator.witness.count(status=401) == 0


async def test_a_hundred_refusals_at_once_make_one_token(emulator: OwnpageEmulator):
    async with client_of(emulator, governor=Governor(Limits(calls=1_000_000, parallel=100))) as ownpage:
        await ownpage.lists.page()
        emulator.tokens.expire_all()
        emulator.app.app.latency = lambda operation: 0.05 if operation == "lists.page" else 0.0  # type: ignore[attr-defined]
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(ownpage.lists.page)
    assert tokens_made(emulator) == 2
    assert emulator.witness.count("lists.page", status=200) == 101


async def test_a_token_that_grows_old_again_and_again_is_renewed_under_load(emulator: OwnpageEmulator):
    life_s = emulator.tokens.life_s = 0.4
    began = time.monotonic()
    async with client_of(emulator) as ownpage, anyio.create_task_group() as tasks:

        async def work() -> None:
            for _ in range(25):
                await ownpage.lists.page()
                await anyio.sleep(0.02)

        for _ in range(4):
            tasks.start_soon(work)
    assert emulator.witness.count("lists.page", status=200) == 100
    assert 2 <= tokens_made(emulator) <= (time.monotonic() - began) / life_s + 1


async def test_a_refusal_that_comes_late_does_not_throw_the_new_token_away(emulator: OwnpageEmulator):
    async with client_of(emulator) as ownpage:
        await ownpage.lists.page()
        emulator.faults.add("lists.page", Fault(replace_status=401, downlink_s=1.0), times=1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ownpage.lists.page)
            while emulator.witness.count("lists.page") < 2:  # noqa: ASYNC110 - the witness is in another thread
                await anyio.sleep(0.005)
            emulator.tokens.expire_all()
            await ownpage.lists.page()
            assert tokens_made(emulator) == 2
    assert tokens_made(emulator) == 2
    assert emulator.witness.count("lists.page", status=200) == 3


async def test_a_call_is_sent_again_once_and_no_more(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    emulator.faults.add("lists.page", Fault.status(401, {"status": 401, "cause": "no"}))
    with pytest.raises(AuthenticationError, match="no") as caught:
        await ownpage.lists.page()
    assert emulator.witness.count("lists.page") == 2
    assert tokens_made(emulator) == 2
    assert caught.value.attempts == 2
    assert any("renewed" in note for note in caught.value.__notes__)
    assert any("customer id and the API key" in note for note in caught.value.__notes__)
    assert not any("ongage.com" in note for note in caught.value.__notes__)


async def test_a_refused_call_is_repeated_even_if_it_is_never_to_be(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    """A 401 means that nothing was executed, so even an email goes out once more, and once."""
    await ownpage.lists.page()
    emulator.tokens.expire_all()
    await ownpage.transactional.send(subject="s", sender="a@doe.fr", to="b@doe.fr", text="t")
    assert len(emulator.state.outbox) == 1


async def test_wrong_credentials_are_one_error_for_everybody_who_waits(emulator: OwnpageEmulator):
    wrong = OwnpageCredentials("emulated-customer", "wrong-key")
    errors: list[AuthenticationError] = []
    async with client_of(emulator, credentials=wrong) as ownpage, anyio.create_task_group() as tasks:

        async def work() -> None:
            with pytest.raises(AuthenticationError) as caught:
                await ownpage.lists.page()
            errors.append(caught.value)

        for _ in range(50):
            tasks.start_soon(work)
    assert len(errors) == 50
    assert emulator.witness.count("tokens.create") == 1
    assert emulator.witness.count("lists.page") == 0


async def test_a_token_alone_works_and_cannot_be_renewed(emulator: OwnpageEmulator, wire: Wire):
    async with client_of(emulator, credentials=emulator.tokens.grant()) as ownpage:
        assert len(await ownpage.lists.page()) == 1
        emulator.tokens.expire_all()
        for _ in range(2):
            with pytest.raises(AuthenticationError) as caught:
                await ownpage.lists.page()
        assert any("give OwnpageCredentials" in note for note in caught.value.__notes__)
        with pytest.raises(ConfigurationError, match="a token alone makes no other"):
            await ownpage.create_token()
    assert "POST /v1/token" not in [sent.line for sent in wire.sent]


async def test_a_token_for_somebody_else(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    token = await ownpage.create_token()
    assert isinstance(token, OwnpageToken)
    async with client_of(emulator, credentials=token) as other:
        assert len(await other.lists.page()) == 1


async def test_whoever_gives_up_waiting_leaves_the_renewal_to_the_others(emulator: OwnpageEmulator):
    emulator.app.app.latency = lambda operation: 1.0 if operation == "tokens.create" else 0.0  # type: ignore[attr-defined]
    async with client_of(emulator) as ownpage, anyio.create_task_group() as tasks:
        with anyio.move_on_after(0.03) as first:
            await ownpage.lists.page()
        assert first.cancelled_caught
        tasks.start_soon(ownpage.lists.page)
        with pytest.raises(BudgetError, match="no new token"):
            await ownpage.with_options(max_wait_s=0.0, timeout_s=0.02).lists.page()
    assert tokens_made(emulator) == 1


async def test_a_client_that_is_closed_gets_no_more_tokens(emulator: OwnpageEmulator):
    emulator.app.app.latency = 1.0  # type: ignore[attr-defined]
    ownpage = client_of(emulator)
    async with anyio.create_task_group() as tasks:

        async def work() -> None:
            with pytest.raises(ConfigurationError, match="closed"):
                await ownpage.lists.page()

        tasks.start_soon(work)
        await anyio.sleep(0.05)
        await ownpage.aclose()


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": 7}, ["t"], {"token": "a\nb"}], ids=str)
async def test_an_answer_without_a_token_is_no_token(ownpage: OwnpageClient, emulator: OwnpageEmulator, body: object):
    emulator.faults.add("tokens.create", Fault.status(200, body))
    with pytest.raises(DecodeError, match="no token"):
        await ownpage.lists.page()


async def test_trouble_while_getting_a_token_is_retried_by_the_clients_policy(emulator: OwnpageEmulator):
    emulator.faults.add("tokens.create", Fault.status(503), times=1)
    async with client_of(emulator, retry=RetryPolicy(ladder_s=(0.01,))) as ownpage:
        assert len(await ownpage.lists.page()) == 1
    emulator.faults.add("tokens.create", Fault.status(503))
    async with client_of(emulator, retry=RetryPolicy.none()) as ownpage:
        with pytest.raises(ServerError):
            await ownpage.lists.page()


async def test_a_fault_of_the_callers_own_http_client_is_raised_and_not_tried_for_ever(emulator: OwnpageEmulator):
    class Broken(httpx.AsyncClient):
        async def send(self, *args: object, **options: object) -> httpx.Response:
            raise ZeroDivisionError("mine")

    async with Broken() as http_client, client_of(emulator, http_client=http_client) as ownpage:
        with pytest.raises(ZeroDivisionError, match="mine"):
            await ownpage.lists.page()
