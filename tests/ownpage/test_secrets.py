"""Key, token, form key and addresses leave by no side door: logs, reprs, errors, tracebacks, pickles, reports, URLs."""

import pickle
import traceback
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from ongage_async import OngageError, OwnpageClient, OwnpageCredentials, RetryPolicy
from ongage_async.bulk import FileDrop, HostedFile
from ongage_async.emulator import Fault
from ongage_async.emulator.ownpage import OwnpageCustomer, OwnpageEmulator
from ongage_async.ownpage import NewSubscriber, OwnpageToken
from tests.client.conftest import TRUST, Wire
from tests.client.test_secrets import Leaks as _Leaks
from tests.client.test_secrets import leaks as _leaks
from tests.ownpage.conftest import client_of

pytestmark = pytest.mark.anyio

leaks = _leaks
USER, KEY, FORM = "planted-customer-1", "planted-own-key-2", "planted-form-key-3"
ADDRESS = "planted.person@mail.test"
TOKEN = "emulated-token-00000"
PRESIGNED = "https://files.test/c.csv?X-Signature=planted-signature-4"
SECRETS = (USER, KEY, FORM, ADDRESS, ADDRESS.replace("@", "%40"), TOKEN, "planted-signature-4", "planted.person")


def found(leaks: _Leaks) -> set[str]:
    return {secret for text in leaks.texts for secret in SECRETS if secret in text}


@pytest.fixture
def emulator() -> Iterator[OwnpageEmulator]:
    made = OwnpageEmulator(customer=OwnpageCustomer(USER, KEY, "tracking", FORM))
    made.app = Wire(made.app)  # type: ignore[assignment]
    made.files.queued_s = made.files.fetch_s = 0.002
    with made:
        yield made


@pytest.fixture(params=["own", "httpx"])
async def ownpage(request: pytest.FixtureRequest, emulator: OwnpageEmulator, leaks: _Leaks) -> Any:
    theirs = httpx.AsyncClient(verify=TRUST) if request.param == "httpx" else None
    async with client_of(emulator, http_client=theirs, on_event=leaks.note, retry=RetryPolicy.none()) as client:
        yield client
    if theirs is not None:
        await theirs.aclose()


async def work(ownpage: OwnpageClient) -> list[Any]:
    return [
        await ownpage.subscribers.create([{"email": ADDRESS, "guid": ADDRESS, "data": {"mail": ADDRESS}}]),
        await ownpage.subscribers.page(search=ADDRESS),
        await ownpage.subscribers.upsert_many([{"email": ADDRESS}, {"email": f"{ADDRESS} x"}]),
        await ownpage.form.create(ADDRESS, tracking_key="tracking", form_key=FORM),
        await ownpage.transactional.send(subject="s", sender=ADDRESS, to=ADDRESS, text=ADDRESS),
        await ownpage.exports.create(date(2024, 1, 1), date(2024, 1, 2)),
        await ownpage.create_token(),
        await ownpage.subscribers.delete([ADDRESS]),
    ]


async def test_successes_let_nothing_out(ownpage: OwnpageClient, emulator: OwnpageEmulator, leaks: _Leaks):
    emulator.state.add_events("nl_send", "2024-01-01", ["date", "email"], [["2024-01-01", ADDRESS]])
    leaks.note(*await work(ownpage), *[event async for event in ownpage.events.each("nl_send", date(2024, 1, 1))])
    leaks.note(ownpage, ownpage._engine.transport, ownpage._tokens, ownpage._session, ownpage.subscribers)
    leaks.note(NewSubscriber(ADDRESS, guid=ADDRESS, data={"m": ADDRESS}))
    assert found(leaks) == set()
    assert "ongage_async.calls" in leaks.loggers


async def test_the_key_is_in_bodies_only(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    await work(ownpage)
    for sent in emulator.app.sent:  # type: ignore[attr-defined]
        line = f"{sent.path} {sent.query} {sent.headers}"
        assert KEY not in line
        assert USER not in line
        assert FORM not in line


ECHO = {"status": 400, "cause": f"no {ADDRESS} with {KEY} of {USER} at {PRESIGNED}"}
FAULTS = {
    **{str(status): Fault.status(status, ECHO) for status in (400, 401, 403, 404, 429, 500)},
    "error in a success": Fault.status(200, ECHO),
    "garbage": Fault.garbage(f"<p>{ADDRESS} {PRESIGNED} {KEY} {TOKEN}".encode()),
    "text": Fault.garbage(f"{TOKEN}1".encode()),
    "drop": Fault.drop(),
    "half a body": Fault.half_body(),
    "late": Fault.delay(0.3),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_token_that_is_not_given_lets_nothing_out(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, leaks: _Leaks, fault: str
):
    emulator.faults.add("tokens.create", FAULTS[fault])
    with pytest.raises(OngageError) as caught:
        await ownpage.with_options(timeout_s=0.1, max_wait_s=0.2).lists.page()
    leaks.note_error(caught.value) if fault != "late" else leaks.note(caught.value)
    assert found(leaks) == set()


async def test_errors_let_nothing_out_though_the_vendor_repeats_addresses(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, leaks: _Leaks
):
    await ownpage.lists.page()
    echo = {"status": 400, "cause": f"1 error(s): email is not valid {ADDRESS} from {PRESIGNED}"}
    emulator.faults.add("*", Fault.status(400, echo))
    for call in (
        ownpage.subscribers.create([{"email": ADDRESS}]),
        ownpage.subscribers.delete([ADDRESS]),
        ownpage.files.create(url=PRESIGNED),
        ownpage.form.create(ADDRESS, tracking_key="tracking", form_key=FORM),
        ownpage.files.create(url=f"ftp://{ADDRESS}/x"),
        ownpage.subscribers.create([{"email": ADDRESS, "subscribed": ADDRESS}]),
        ownpage.subscribers.create([{"email": ADDRESS, "data": {"x": object()}}]),
    ):
        with pytest.raises(OngageError) as caught:
            await call
        leaks.note_error(caught.value)
    assert found(leaks) == set()


async def test_secrets_are_in_no_local_variable_of_a_traceback(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    """Crash reporters write down the locals of every frame."""
    emulator.faults.add("tokens.create", Fault.status(403), times=1)
    with pytest.raises(OngageError) as refused:
        await ownpage.lists.page()
    await ownpage.lists.page()
    emulator.faults.add("lists.page", Fault.status(403))
    with pytest.raises(OngageError) as later:
        await ownpage.lists.page()
    for caught in (refused, later):
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        text = "".join(told.format())
        assert "ongage_async" in text
        assert not [secret for secret in (KEY, TOKEN, USER) if secret in text]


async def test_a_load_lets_nothing_out(ownpage: OwnpageClient, leaks: _Leaks, tmp_path: Path):
    source = tmp_path / f"{ADDRESS}.csv"
    source.write_text(f"email,data_x\n{ADDRESS},{ADDRESS}\nplanted.person at mail.test,z\n")
    async with FileDrop.serve() as drop:
        report = await ownpage.files.run(
            source,
            stage=drop,
            confirm=True,
            settled_s=0.05,
            interval_s=0.01,
            progress=leaks.note,
            side_file=tmp_path / "s.csv",
        )
        leaks.note(report, report.as_text(), report.as_json(), *report.fetches, drop)
    assert report.rows_sent == 1
    assert found(leaks) == set()
    assert [text for text in leaks.texts if "http://127.0.0.1" in text and ".csv" in text] == []


async def test_a_hosted_file_lets_nothing_out(ownpage: OwnpageClient, leaks: _Leaks):
    with pytest.raises(OngageError) as caught:
        await ownpage.files.run(HostedFile(PRESIGNED))
    leaks.note_error(caught.value)
    assert found(leaks) == set()


@pytest.mark.parametrize("secret", [OwnpageCredentials("u", KEY), OwnpageToken(KEY)], ids=["key", "token"])
def test_credentials_show_and_pickle_nothing(secret: Any):
    assert KEY not in f"{secret!r} {secret} {vars(type(secret))}"
    with pytest.raises(TypeError, match="in the other process"):
        pickle.dumps(secret)
    assert __import__("copy").deepcopy(secret) is secret


async def test_a_cancelled_call_lets_nothing_out(ownpage: OwnpageClient, emulator: OwnpageEmulator, leaks: _Leaks):
    emulator.app.app.latency = 0.05  # type: ignore[attr-defined]
    with anyio.move_on_after(0.01):
        await ownpage.lists.page()
    await ownpage.aclose()
    assert found(leaks) == set()
