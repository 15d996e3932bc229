"""Making, configuring, sharing and closing clients, over sockets."""

import pickle
from pathlib import Path
from typing import Any

import anyio
import pytest

from ongage_async import (
    ApiKey,
    AuthenticationError,
    BudgetError,
    ConfigurationError,
    Credentials,
    Governor,
    Lane,
    Limits,
    OngageClient,
    OngageError,
    PermissionDeniedError,
    Repeat,
    RetryPolicy,
)
from ongage_async.config import from_env
from ongage_async.emulator import Emulator, Fault
from tests.client.conftest import TRUST, Wire
from tests.support import client_of, credentials_of

pytestmark = pytest.mark.anyio

NAMES = (
    "USERNAME",
    "PASSWORD",
    "ACCOUNT_CODE",
    "API_KEY",
    "BASE_URL",
    "LIST_ID",
    "GOVERNOR",
    "CALLS_PER_MINUTE",
    "PARALLEL",
)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set ``ONGAGE_*`` variables, and none but these."""
    for name in NAMES:
        monkeypatch.delenv(f"ONGAGE_{name}", raising=False)

    def set_them(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"ONGAGE_{name}", value)

    return set_them


# --- credentials -----------------------------------------------------------------------------------------------------


async def test_a_user_is_known_by_three_headers(ongage: OngageClient, wire: Wire, emulator: Emulator):
    await ongage.lists.page()
    known, sent = emulator.credentials, wire.last.headers
    assert (sent["x_username"], sent["x_password"]) == (known.username, known.password)
    assert sent["x_account_code"] == known.account_code
    assert "x-api-key" not in sent


async def test_a_key_is_known_by_one_header(wire: Wire, emulator: Emulator):
    async with OngageClient(ApiKey(emulator.api_key), base_url=emulator.url, ssl_context=TRUST) as ongage:
        assert (await ongage.lists.page()).total == 1
    assert wire.last.headers["x-api-key"] == emulator.api_key
    assert not [name for name in wire.last.headers if name.startswith("x_")]


@pytest.mark.parametrize("wrong", [ApiKey("other"), Credentials("user@example.com", "other", "emulated_account")])
async def test_wrong_credentials_are_an_authentication_error(emulator: Emulator, wrong: Any):
    async with OngageClient(wrong, base_url=emulator.url, ssl_context=TRUST) as ongage:
        with pytest.raises(AuthenticationError) as caught:
            await ongage.lists.page()
    assert "check the credentials" in caught.value.__notes__[0]
    assert len(emulator.witness) == 1


async def test_an_account_without_api_access_is_told_what_it_lacks(ongage: OngageClient, emulator: Emulator):
    emulator.app.app.doorkeeper.api_enabled = False  # type: ignore[attr-defined]
    with pytest.raises(PermissionDeniedError) as caught:
        await ongage.lists.page()
    assert "Admin or General User" in caught.value.__notes__[0]


def test_each_kind_of_credentials_knows_its_host():
    assert "https://api.ongage.net" in repr(OngageClient(Credentials("u", "p", "c")))
    assert "https://api.ongage.com" in repr(OngageClient(ApiKey("k")))


# --- the environment -------------------------------------------------------------------------------------------------


async def test_from_env_reads_every_variable(environment: Any, emulator: Emulator, wire: Wire):
    other = emulator.state.add_list("other")
    known = emulator.credentials
    environment(
        USERNAME=f" {known.username} ",
        PASSWORD=known.password,
        ACCOUNT_CODE=known.account_code,
        BASE_URL=f"{emulator.url}/",
        LIST_ID=str(other.id),
        GOVERNOR="memory:",
        CALLS_PER_MINUTE="120",
        PARALLEL="4",
    )
    async with OngageClient.from_env(ssl_context=TRUST) as ongage:
        await ongage.contacts.create([{"email": "a@doe.com"}])
        assert ongage.governor.limits == Limits(calls=120, per_s=60.0, parallel=4)
    assert wire.last.line == f"POST /{other.id}/api/v2/contacts"


async def test_from_env_takes_a_key_and_what_is_given_wins(environment: Any, emulator: Emulator):
    environment(API_KEY=emulator.api_key, BASE_URL="https://api.ongage.com", CALLS_PER_MINUTE="7")
    governor = Governor(Limits(calls=50))
    async with OngageClient.from_env(base_url=emulator.url, governor=governor, ssl_context=TRUST) as ongage:
        assert (await ongage.lists.page()).total == 1
        assert ongage.governor is governor


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({}, "set ONGAGE_USERNAME, ONGAGE_PASSWORD, ONGAGE_ACCOUNT_CODE, or ONGAGE_API_KEY alone"),
    "no password": ({"USERNAME": "u", "ACCOUNT_CODE": "c"}, "set ONGAGE_PASSWORD$"),
    "no code": ({"USERNAME": "u", "PASSWORD": "p"}, "set ONGAGE_ACCOUNT_CODE$"),
    "both kinds": ({"API_KEY": "k", "PASSWORD": "p"}, "ONGAGE_API_KEY and ONGAGE_PASSWORD are both set"),
    "a list by name": ({"API_KEY": "k", "LIST_ID": "mine"}, "ONGAGE_LIST_ID must be a whole number"),
    "calls": ({"API_KEY": "k", "CALLS_PER_MINUTE": "many"}, "ONGAGE_CALLS_PER_MINUTE must be a whole number"),
    "no calls": ({"API_KEY": "k", "CALLS_PER_MINUTE": "0"}, "at least one call"),
    "parallel": ({"API_KEY": "k", "PARALLEL": "1.5"}, "ONGAGE_PARALLEL must be a whole number"),
    "governor": ({"API_KEY": "k", "GOVERNOR": "carrier-pigeon://x"}, "governor"),
    "host": ({"API_KEY": "k", "BASE_URL": "api.ongage.net"}, "base_url must look like https://api.ongage.net"),
    "in the clear": ({"API_KEY": "k", "BASE_URL": "http://api.ongage.net"}, "use https://api.ongage.net"),
    "with a query": ({"API_KEY": "k", "BASE_URL": "https://h/?a=b"}, "no user, password, query"),
    "a broken key": ({"API_KEY": "k\nk"}, "copy it again"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_named_with_the_way_to_set_it_right(environment: Any, case: str):
    values, sentence = WRONG[case]
    environment(**values)
    with pytest.raises(ConfigurationError, match=sentence):
        OngageClient.from_env()


def test_from_env_reads_what_it_is_given():
    settings = from_env({"ONGAGE_API_KEY": "k", "ONGAGE_PARALLEL": "3"})
    assert settings == {"credentials": ApiKey("k"), "limits": Limits(parallel=3)}


def test_settings_that_contradict_are_refused():
    with pytest.raises(ConfigurationError, match=r"Credentials\(\.\.\.\) or ApiKey"):
        OngageClient("a-key")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="give limits= to the Governor"):
        OngageClient(ApiKey("k"), governor=Governor(), limits=Limits())


# --- options ---------------------------------------------------------------------------------------------------------


async def test_a_view_changes_what_it_is_asked_to_and_nothing_else(ongage: OngageClient, wire: Wire):
    view = ongage.with_options(list_id=7, lane=Lane.URGENT)
    again = view.with_options(list_id=None)
    with pytest.raises(OngageError):
        await view.list_fields.page()
    assert wire.last.line == "GET /7/api/list_fields"
    await again.list_fields.page()
    assert wire.last.line == "GET /api/list_fields"
    await ongage.list_fields.page()
    lanes = (await ongage.governor.statistics()).lanes
    assert (lanes[Lane.URGENT].granted, lanes[Lane.NORMAL].granted) == (2, 1)


async def test_a_view_has_its_own_patience(ongage: OngageClient, emulator: Emulator):
    emulator.faults.add("lists.page", Fault.status(503), times=2)
    patient = ongage.with_options(retry=RetryPolicy(ladder_s=(0.01, 0.01)))
    assert (await patient.lists.page()).total == 1
    emulator.faults.add("lists.page", Fault.delay(0.5))
    with pytest.raises(OngageError, match=r"timeout_s=0\.05"):
        await ongage.with_options(timeout_s=0.05, retry=RetryPolicy.none()).lists.page()
    await ongage.governor.pause(30.0)
    with pytest.raises(BudgetError) as caught:
        await ongage.with_options(max_wait_s=1.0).lists.get(1)
    assert 25 < caught.value.retry_after_s <= 30


# --- the escape hatch ------------------------------------------------------------------------------------------------


async def test_request_reaches_any_endpoint_like_all_others(ongage: OngageClient, wire: Wire, emulator: Emulator):
    emulator.state.default_list.add_contact("a+b@doe.com")
    answer = await ongage.request("GET", "/api/contacts/by_email/{email}", path={"email": "a+b@doe.com"})
    assert answer.payload["email"] == "a+b@doe.com"
    assert wire.last.line == "GET /api/contacts/by_email/a%2Bb%40doe.com"
    answer = await ongage.request("get", "api/lists", params={"limit": 1, "archive": False, "name": None})
    assert (wire.last.query, answer.metadata["total"], answer.status) == ({"limit": "1", "archive": "false"}, 1, 200)
    await ongage.request("POST", "/api/v2/contacts", json=[{"email": "c@doe.com"}], list_id=emulator.default_list_id)
    assert wire.last.line == f"POST /{emulator.default_list_id}/api/v2/contacts"
    assert wire.last.body == [{"email": "c@doe.com"}]


async def test_request_raises_the_same_errors_and_repeats_only_what_it_may(emulator: Emulator):
    async with client_of(
        emulator, ssl_context=TRUST, retry=RetryPolicy(ladder_s=(0.01,), connection_ladder_s=(0.01,))
    ) as ongage:
        emulator.faults.add("lists.*", Fault.status(503))
        for method, repeat, sends in (
            ("GET", None, 2),
            ("POST", None, 1),
            ("POST", Repeat.SAFE, 2),
            ("GET", Repeat.NEVER, 1),
        ):
            emulator.witness.clear()
            with pytest.raises(OngageError) as caught:
                await ongage.request(method, "/api/lists", json=None if method == "GET" else {}, repeat=repeat)
            assert (caught.value.attempts, len(emulator.witness)) == (sends, sends)


# --- sharing and closing ---------------------------------------------------------------------------------------------


async def test_two_clients_share_one_governor_and_its_limits(emulator: Emulator):
    governor = Governor(Limits(calls=1000, parallel=3))
    emulator.app.app.latency = 0.01  # type: ignore[attr-defined]
    async with (
        client_of(emulator, governor=governor, ssl_context=TRUST) as one,
        client_of(emulator, governor=governor, ssl_context=TRUST) as other,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(10):
            tasks.start_soon(one.lists.page)
            tasks.start_soon(other.lists.page)
    assert emulator.witness.worst_open() == 3
    assert sum(lane.granted for lane in (await governor.statistics()).lanes.values()) == 20


async def test_a_shared_governor_outlives_its_clients(emulator: Emulator):
    governor = Governor(Limits(calls=1000, parallel=3))
    for _ in range(2):
        async with client_of(emulator, governor=governor, ssl_context=TRUST) as ongage:
            assert (await ongage.lists.page()).total == 1


async def test_clients_of_two_accounts_never_share_a_ledger_by_mistake(emulator: Emulator, tmp_path: Path):
    """The ledger's file belongs to the account that made it; the other one is told before it calls."""
    url = f"file://{tmp_path}/ongage.ledger"
    made = emulator.credentials
    other = Credentials(made.username, made.password, "another account")
    async with client_of(emulator, governor=url, ssl_context=TRUST) as ongage:
        assert (await ongage.lists.page()).total == 1
        with pytest.raises(ConfigurationError, match="account"):
            async with OngageClient(other, base_url=emulator.url, governor=url, ssl_context=TRUST) as stranger:
                await stranger.lists.page()
    assert len(emulator.witness) == 1


async def test_a_closed_client_says_so_and_so_do_its_views(emulator: Emulator):
    async with client_of(emulator, ssl_context=TRUST) as ongage:
        view = ongage.with_options(list_id=1)
        contacts = view.contacts
    for call in (ongage.lists.page(), view.lists.page(), contacts.get_by_id("1"), ongage.request("GET", "/api/x")):
        with pytest.raises(ConfigurationError, match="inside its `async with` block"):
            await call
    await ongage.aclose()
    assert len(emulator.witness) == 0


async def test_a_client_works_without_async_with_and_is_closed_by_hand(emulator: Emulator, wire: Wire):
    ongage = client_of(emulator, ssl_context=TRUST)
    assert (await ongage.lists.page()).total == 1
    await ongage.aclose()
    with pytest.raises(ConfigurationError):
        await ongage.lists.page()


async def test_closing_lets_open_calls_end(emulator: Emulator):
    emulator.app.app.latency = 0.1  # type: ignore[attr-defined]
    ongage = client_of(emulator, ssl_context=TRUST)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ongage.lists.page)
        await anyio.sleep(0.03)
        await ongage.aclose()
    assert emulator.witness.count(status=200) == 1


def test_a_client_and_its_credentials_are_not_pickled(emulator: Emulator):
    for secret in (client_of(emulator), credentials_of(emulator), ApiKey("k")):
        with pytest.raises(TypeError, match="in the other process"):
            pickle.dumps(secret)
