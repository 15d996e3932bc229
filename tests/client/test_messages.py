"""The sentences that people meet most: what happened, and what to do next. Golden, so that a change is meant."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ongage_async import ApiKey, Governor, Limits, OngageClient, OngageError, RetryPolicy
from ongage_async.bulk import FileDrop, HostedFile
from ongage_async.emulator import Emulator, Fault
from tests.support import client_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

LOOK = "not sent again: it may have been executed, so look before you repeat it"
Call = Callable[[OngageClient], Any]

SENTENCES: list[tuple[str, Fault | None, Call, str, str]] = [
    (
        "wrong credentials",
        Fault.status(401),
        lambda ongage: ongage.lists.page(),
        "lists.page: Fault by script (HTTP 401)",
        "check the credentials; an API key works on https://api.ongage.com only (vendor page §1.2)",
    ),
    (
        "no access",
        Fault.status(403),
        lambda ongage: ongage.lists.page(),
        "lists.page: Fault by script (HTTP 403)",
        "the account needs API access, and the user the right: Admin or General User (vendor page §1.2)",
    ),
    (
        "not there",
        None,
        lambda ongage: ongage.contacts.get_by_email("a@doe.com"),
        "contacts.get_by_email: Unauthorized / Email not found (HTTP 404)",
        "it is not there, or the user may not see it: check the id and the list (list_id=)",
    ),
    (
        "refused values",
        None,
        lambda ongage: ongage.contacts.create([{"email": "no address"}, {"email": "neither"}], overwrite=True),
        "contacts.create: Invalid data in request (HTTP 412)",
        "`errors` says which values are refused; mend them before you send it again",
    ),
    (
        "too many calls",
        Fault.status(429),
        lambda ongage: ongage.with_options(max_wait_s=1.0).lists.page(),
        "lists.page: Fault by script (HTTP 429)",
        "somebody else may be using the account: share one governor, or give each program a part of the limits",
    ),
    (
        "an uncertain write",
        Fault.status(502, "<html>"),
        lambda ongage: ongage.contacts.create([{"email": "a@doe.com"}]),
        "contacts.create: the vendor gave no reason for HTTP 502 (HTTP 502)",
        f"attempt 1: ServerError, outcome unknown, {LOOK}",
    ),
    (
        "a lost answer",
        Fault.drop(),
        lambda ongage: ongage.contacts.create([{"email": "a@doe.com"}]),
        "contacts.create: the connection for /api/v2/contacts ended before the whole answer (RemoteProtocolError)",
        f"attempt 1: ConnectionLostError, outcome unknown, {LOOK}",
    ),
    (
        "a late answer",
        Fault.delay(99),
        lambda ongage: ongage.contacts.create([{"email": "a@doe.com"}]),
        "contacts.create: no whole answer within timeout_s=60",
        f"attempt 1: ResponseTimeoutError, outcome unknown, {LOOK}",
    ),
    (
        "garbage",
        Fault.garbage(b"<html>"),
        lambda ongage: ongage.lists.page(),
        "lists.page: HTTP 200 with a body that is no JSON",
        f"attempt 1: DecodeError, outcome unknown, {LOOK}",
    ),
    (
        "a failed import",
        None,
        lambda ongage: ongage.imports.wait(1),
        "imports.get: Unauthorized / Import not found (HTTP 404)",
        "it is not there, or the user may not see it: check the id and the list (list_id=)",
    ),
]


@pytest.mark.parametrize(
    ("fault", "call", "sentence", "note"), [case[1:] for case in SENTENCES], ids=[c[0] for c in SENTENCES]
)
async def test_an_error_says_what_happened_and_a_note_what_to_do(
    inside: Emulator, fault: Fault | None, call: Call, sentence: str, note: str
):
    inside.readings.invalid_row = "batch"
    if fault is not None:
        inside.faults.add("*", fault)
    async with inside.http_client() as http_client:
        ongage = client_of(inside, http_client=http_client)
        with pytest.raises(OngageError) as caught:
            await call(ongage)
    assert str(caught.value) == sentence
    assert note in caught.value.__notes__


async def test_a_late_answer_is_told_in_the_same_words_by_whoever_notices_first(inside: Emulator):
    """The client's clock and httpx's read timeout end at the same moment; which one is first, is chance."""

    def too_late(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("its own words")

    async with httpx.AsyncClient(transport=httpx.MockTransport(too_late)) as http_client:
        ongage = client_of(inside, http_client=http_client)
        with pytest.raises(OngageError) as caught:
            await ongage.contacts.create([{"email": "a@doe.com"}])
    assert str(caught.value) == "contacts.create: no whole answer within timeout_s=60"


async def test_a_budget_that_is_spent_says_when_to_come_again(inside: Emulator):
    governor = Governor(Limits(calls=1))
    async with inside.http_client() as http_client:
        ongage = client_of(inside, http_client=http_client, governor=governor)
        await ongage.lists.page()
        with pytest.raises(OngageError) as caught:
            await ongage.with_options(max_wait_s=2.0).lists.page()
    assert str(caught.value) == (
        "lists.page: no permit on lane NORMAL within max_wait_s=2: the account's budget allows this call in 60.0 s; "
        "come again then, allow a longer wait, or use a higher lane"
    )


SETTINGS: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: OngageClient(ApiKey("k"), base_url="http://api.ongage.com"),
        "base_url: use https://api.ongage.com, or the credentials travel in the clear",
    ),
    (lambda: ApiKey(""), "key is empty: give the value from your Ongage account"),
    (
        lambda: FileDrop("http://files.example.com"),
        (
            "public_url is plain http: the addresses in the file could be read on the way. Use https, or pass "
            "insecure=True if the way is safe"
        ),
    ),
    (lambda: HostedFile("x.csv"), 'url must be a full address like "https://files.example.com/ongage"'),
    (lambda: Limits(parallel=0), "Limits(parallel=0): at least one call at a time is needed"),
    (lambda: Governor(reserve=300), "reserve=300: give 0 to 299 of the account's calls"),
]


@pytest.mark.parametrize(("make", "sentence"), SETTINGS)
def test_a_wrong_setting_says_how_to_set_it(make: Callable[[], Any], sentence: str):
    with pytest.raises(OngageError) as caught:
        make()
    assert str(caught.value) == sentence


async def test_notes_tell_every_attempt(inside: Emulator):
    inside.faults.add("lists.page", Fault.status(503))
    async with inside.http_client() as http_client:
        ongage = client_of(inside, http_client=http_client, retry=RetryPolicy(ladder_s=(60.0, 120.0), jitter=0.0))
        with pytest.raises(OngageError) as caught:
            await ongage.lists.page()
    assert caught.value.__notes__ == [
        "attempt 1: ServerError, outcome unknown, next after 60.0 s",
        "attempt 2: ServerError, outcome unknown, next after 120.0 s",
        f"attempt 3: ServerError, outcome unknown, {LOOK}",
    ]
