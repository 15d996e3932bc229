"""Making, configuring, sharing and closing clients of Ownpage; and how its errors land on the tree."""

import pickle
from typing import Any

import anyio
import pytest

from ongage_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    Governor,
    Lane,
    Limits,
    NotFoundError,
    OngageClient,
    OwnpageClient,
    OwnpageCredentials,
    PermissionDeniedError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    ValidationError,
)
from ongage_async.emulator import Emulator, Fault
from ongage_async.emulator.ownpage import OwnpageEmulator
from ongage_async.ownpage._credentials import from_env
from tests.client.conftest import TRUST, Wire
from tests.ownpage.conftest import client_of, credentials_of
from tests.support import credentials_of as ongage_credentials_of

pytestmark = pytest.mark.anyio

NAMES = ("USERNAME", "API_KEY", "TOKEN", "BASE_URL", "LIST_ID", "GOVERNOR", "CALLS_PER_MINUTE", "PARALLEL")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set ``OWNPAGE_*`` variables, and none but these."""
    for name in NAMES:
        monkeypatch.delenv(f"OWNPAGE_{name}", raising=False)

    def set_them(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"OWNPAGE_{name}", value)

    return set_them


async def test_from_env_reads_every_variable(environment: Any, emulator: OwnpageEmulator, wire: Wire):
    known = emulator.customer
    environment(
        USERNAME=f" {known.username} ",
        API_KEY=known.api_key,
        BASE_URL=f"{emulator.url}/",
        LIST_ID="123",
        GOVERNOR="memory:",
        CALLS_PER_MINUTE="120",
        PARALLEL="4",
    )
    async with OwnpageClient.from_env(ssl_context=TRUST) as ownpage:
        assert (await ownpage.counts.get()).total == 0
        assert ownpage.governor.limits == Limits(calls=120, per_s=60.0, parallel=4)
    assert wire.last.line == "GET /v1/newsletters/lists/123/subscribers/count"


async def test_from_env_takes_a_token_and_what_is_given_wins(environment: Any, emulator: OwnpageEmulator):
    environment(TOKEN=emulator.tokens.grant(), BASE_URL="https://services.ownpage.fr/v1", CALLS_PER_MINUTE="7")
    governor = Governor(Limits(calls=50))
    async with OwnpageClient.from_env(base_url=emulator.url, governor=governor, ssl_context=TRUST) as ownpage:
        assert len(await ownpage.lists.page()) == 1
        assert ownpage.governor is governor


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({}, "set OWNPAGE_USERNAME, OWNPAGE_API_KEY, or OWNPAGE_TOKEN"),
    "no key": ({"USERNAME": "u"}, "set OWNPAGE_API_KEY$"),
    "both kinds": ({"TOKEN": "t", "API_KEY": "k"}, "keep one kind"),
    "a list by name": ({"TOKEN": "t", "LIST_ID": "mine"}, "OWNPAGE_LIST_ID must be a whole number"),
    "calls": ({"TOKEN": "t", "CALLS_PER_MINUTE": "many"}, "OWNPAGE_CALLS_PER_MINUTE must be a whole number"),
    "host": ({"TOKEN": "t", "BASE_URL": "services.ownpage.fr"}, "base_url must look like"),
    "in the clear": ({"TOKEN": "t", "BASE_URL": "http://services.ownpage.fr/v1"}, "use https://services.ownpage.fr"),
    "with a query": ({"TOKEN": "t", "BASE_URL": "https://h/?a=b"}, "no user, password, query"),
    "a broken token": ({"TOKEN": "t\nt"}, "copy it again"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_named_with_the_way_to_set_it_right(environment: Any, case: str):
    values, sentence = WRONG[case]
    environment(**values)
    with pytest.raises(ConfigurationError, match=sentence):
        OwnpageClient.from_env()


def test_settings_are_refused_that_cannot_be():
    assert from_env({"OWNPAGE_TOKEN": "t"}).keys() == {"credentials"}
    with pytest.raises(ConfigurationError, match="OwnpageCredentials"):
        OwnpageClient(7)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="give limits= to the Governor"):
        OwnpageClient("t", governor=Governor(), limits=Limits())
    with pytest.raises(ConfigurationError, match="api_key is empty"):
        OwnpageCredentials("u", " ")
    with pytest.raises(TypeError, match="in the other process"):
        pickle.dumps(OwnpageClient("t"))
    assert repr(OwnpageClient("t")) == "OwnpageClient(base_url='https://services.ownpage.fr/v1', list_id=None)"


async def test_a_view_changes_what_it_is_asked_to_and_nothing_else(ownpage: OwnpageClient, wire: Wire):
    view = ownpage.with_options(list_id=7, lane=Lane.URGENT)
    with pytest.raises(NotFoundError):
        await view.counts.get()
    assert wire.last.line == "GET /v1/newsletters/lists/7/subscribers/count"
    await ownpage.counts.get()
    lanes = (await ownpage.governor.statistics()).lanes
    assert (lanes[Lane.URGENT].granted, lanes[Lane.NORMAL].granted) == (2, 1)  # the token is urgent


async def test_two_vendors_in_one_program_have_two_budgets(emulator: OwnpageEmulator):
    with Emulator() as other:
        async with (
            client_of(emulator, governor=None, limits=Limits(calls=3, per_s=60.0)) as ownpage,
            OngageClient(ongage_credentials_of(other), base_url=other.url, ssl_context=TRUST) as ongage,
        ):
            await ownpage.lists.page()
            await ownpage.lists.page()
            with pytest.raises(Exception, match="max_wait_s"):
                await ownpage.with_options(max_wait_s=0.0).lists.page()
            for _ in range(5):
                await ongage.lists.page()
    assert emulator.witness.worst_window(60.0) == 3


async def test_the_vendors_limits_are_kept_by_the_same_governor(emulator: OwnpageEmulator):
    emulator.limits.parallel = 3
    emulator.app.app.latency = 0.01  # type: ignore[attr-defined]
    governor = Governor(Limits(calls=1000, parallel=3))
    async with client_of(emulator, governor=governor) as ownpage, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ownpage.lists.page)
    assert emulator.witness.worst_open() == 3
    assert emulator.witness.count(status=429) == 0


async def test_a_closed_client_says_so(emulator: OwnpageEmulator):
    async with client_of(emulator) as ownpage:
        view = ownpage.with_options(list_id=1)
    for call in (ownpage.lists.page(), view.counts.get(), view.form.create("a@doe.fr", tracking_key="t", form_key="f")):
        with pytest.raises(ConfigurationError, match="inside its `async with` block"):
            await call
    await ownpage.aclose()
    assert len(emulator.witness) == 0


STATUSES: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    412: ValidationError,
    418: APIError,
    429: RateLimitedError,
    500: ServerError,
    503: ServerError,
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("form", ["own", "disguised", "bare"])
async def test_the_vendors_own_error_form_lands_on_the_same_tree(emulator: OwnpageEmulator, status: int, form: str):
    document = {"status": status, "cause": "it says why"}
    fault = Fault.status(200 if form == "disguised" else status, b"" if form == "bare" else document)
    emulator.faults.add("lists.page", fault)
    async with client_of(emulator, retry=RetryPolicy.none()) as ownpage:
        with pytest.raises(STATUSES[status]) as caught:
            await ownpage.with_options(max_wait_s=0.0).lists.page()
    error = caught.value
    assert (type(error), error.status, error.operation) == (STATUSES[status], status, "lists.page")
    assert error.message == (f"the vendor gave no reason for HTTP {status}" if form == "bare" else "it says why")
    assert not [note for note in getattr(error, "__notes__", ()) if "ongage.com" in note or "Admin" in note]


async def test_the_credentials_are_the_accounts_in_a_ledger_and_tokens_share_one(
    emulator: OwnpageEmulator, tmp_path: Any
):
    url = f"file://{tmp_path}/own.ledger"
    async with (
        client_of(emulator, governor=url, limits=Limits(calls=4, per_s=60.0)) as one,
        client_of(
            emulator, governor=url, limits=Limits(calls=4, per_s=60.0), credentials=credentials_of(emulator)
        ) as two,
    ):
        await one.lists.page()
        await two.lists.page()
        with pytest.raises(Exception, match="max_wait_s"):
            await two.with_options(max_wait_s=0.0).lists.page()
    assert len(emulator.witness) == 4
