"""Public usage as a type checker sees it. Never run: mypy --strict and pyright read it in `make types`."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, assert_type

import httpx
import httpx2

from ongage_async import (
    Answer,
    APIError,
    ApiKey,
    BudgetError,
    Credentials,
    Explanation,
    Governor,
    ImportFailedError,
    Lane,
    Limits,
    OngageClient,
    OngageError,
    Outcome,
    OwnpageClient,
    Repeat,
    RetryPolicy,
    drift_report,
)
from ongage_async.bulk import (
    FileDrop,
    HostedFile,
    ImportReport,
    ManyReport,
    MemoryJournal,
    Pace,
    Packing,
    Plan,
    Progress,
    UrlStage,
)
from ongage_async.emulator import Emulator, Fault, Readings, Step, Witness
from ongage_async.events import AttemptEnded, DriftReport, DriftRow, Event
from ongage_async.governor import GovernorStatistics
from ongage_async.integrations.opentelemetry import OpenTelemetry
from ongage_async.models import (
    ChangeTo,
    Contact,
    ContactRow,
    ContactsReport,
    ContactStatus,
    Import,
    ImportAction,
    ImportStatus,
    ListField,
    ListType,
    MailingList,
    MutationResult,
    NewContact,
    Page,
    RowKind,
    RowOutcome,
)


def listen(event: Event) -> None:
    if isinstance(event, AttemptEnded):
        assert_type(event.queued_s, float)
        assert_type(event.status, int | None)


async def making() -> None:
    credentials = Credentials(username="u", password="p", account_code="c")
    async with OngageClient(credentials) as ongage:
        assert_type(ongage, OngageClient)
        assert_type(ongage.governor, Governor)
    OngageClient(
        ApiKey("k"),
        base_url="https://api.ongage.com",
        list_id=1,
        governor="memory:",
        limits=Limits(calls=600, per_s=60.0, parallel=20),
        retry=RetryPolicy(ladder_s=(1.0, 2.0), jitter=0.2),
        ssl_context=ssl.create_default_context(),
        timeout_s=30.0,
        on_event=listen,
        explain=1000,
    )
    OngageClient(ApiKey("k"), http_client=httpx.AsyncClient())
    OngageClient(ApiKey("k"), http_client=httpx2.AsyncClient())
    OngageClient(ApiKey("k"), governor=Governor(Limits(), reserve=10))
    assert_type(OngageClient.from_env(list_id=7), OngageClient)
    OngageClient("k")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def watching(ongage: OngageClient, ownpage: OwnpageClient, error: OngageError) -> None:
    assert_type(ongage.listen(listen), Callable[[], None])
    telemetry = OpenTelemetry()
    assert_type(telemetry.attach(ongage), Callable[[], None])
    assert_type(telemetry.attach(ownpage, name="ownpage"), Callable[[], None])
    assert_type(ongage.explain(error.call_id or ""), Explanation)
    assert_type(ongage.explanations(), list[Explanation])
    assert_type(ownpage.explanations(), list[Explanation])
    telemetry.attach(listen)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def options(ongage: OngageClient) -> None:
    view = ongage.with_options(lane=Lane.URGENT, max_wait_s=2.0, retry=RetryPolicy.none(), timeout_s=5.0, list_id=None)
    assert_type(view, OngageClient)
    answer = await view.request("GET", "/api/x/{id}", path={"id": 1}, params={"a": True}, repeat=Repeat.SAFE)
    assert_type(answer, Answer)
    assert_type(answer.metadata, Mapping[str, Any])


async def contacts(ongage: OngageClient) -> None:
    contact = await ongage.contacts.get_by_email("a@doe.com", list_id=7)
    assert_type(contact, Contact)
    assert_type(contact.status, ContactStatus | None)
    assert_type(await ongage.contacts.get_by_id("0" * 24), Contact)
    rows: list[ContactRow] = [NewContact("a@doe.com", {"name": "A"}), contact, {"email": "b@doe.com", "name": "B"}]
    report = await ongage.contacts.create(rows, overwrite=True)
    assert_type(report, ContactsReport)
    assert_type(report.counts, dict[RowKind, int])
    for outcome in report:
        assert_type(outcome, RowOutcome)
        assert_type(outcome.reason, str | None)
    assert_type(await ongage.contacts.update([{"id": "0" * 24, "name": "C"}]), ContactsReport)
    assert_type(await ongage.contacts.change_status(["a@doe.com"], ChangeTo.UNSUBSCRIBE), ContactsReport)
    assert_type(await ongage.contacts.change_email("a@doe.com", "b@doe.com"), ContactsReport)
    assert_type(await ongage.contacts.delete(["0" * 24]), MutationResult)
    assert_type(await ongage.contacts.add("a@doe.com", {"name": "A"}), MutationResult)
    assert_type(await ongage.contacts.upsert_many(rows, journal="x"), ManyReport)
    assert_type([each async for each in ongage.contacts.change_status_many(["a@doe.com"], "remove")], list[RowOutcome])
    async with ongage.contacts.coalesced() as coalesced:
        assert_type(await coalesced.upsert({"email": "a@doe.com"}), RowOutcome)
    await ongage.contacts.create("a@doe.com")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def lists(ongage: OngageClient) -> None:
    assert_type(await ongage.lists.get(7), MailingList)
    page = await ongage.lists.page(type="sending", archive=False)
    assert_type(page, Page[MailingList])
    assert_type(page.total, int | None)
    each = ongage.lists.each(type=ListType.SENDING, page_size=100)
    assert_type(each, AsyncIterator[MailingList])
    async for item in each:
        assert_type(item.name, str | None)
    ongage.lists.each(colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(await ongage.lists.create("x", "sending"), MailingList)
    async for own in ongage.list_fields.each(list_id=7):
        assert_type(own, ListField)


def progress(step: Progress) -> None:
    assert_type(step.total, float | None)


async def imports(ongage: OngageClient) -> None:
    made = await ongage.imports.create("https://h/x.csv", ImportAction.ADD, overwrite=True)
    assert_type(made, Import)
    async for snapshot in ongage.imports.watch(made.id, interval_s=5.0, just_created=True):
        assert_type(snapshot, Import)
        assert_type(snapshot.status, ImportStatus | None)
        assert_type(snapshot.progress_pct, int | None)
    assert_type(await ongage.imports.wait(made.id, timeout_s=60.0), Import)
    async with FileDrop.serve(public_url="https://h/drop", allow=["203.0.113.0/24"]) as drop:
        assert_type(drop, FileDrop)
        report = await ongage.imports.run("x.csv", stage=drop, journal=MemoryJournal(), progress=progress)
        assert_type(report, ImportReport)
        assert_type([part.import_id for part in report.parts], list[int | None])
        assert_type(await ongage.imports.resume("x.csv.ongage-journal", stage=drop), ImportReport)
        assert_type(report.adds_up, bool)
    assert_type(await ongage.imports.plan("x.csv", packing=Packing(part_rows=5), pace=Pace(rows_per_s=9.0)), Plan)
    await ongage.imports.run(
        "x.csv", stage=UrlStage("https://h/", "/srv/files"), mapping={"E-Mail": "email", "x": None}
    )
    await ongage.imports.run(HostedFile("https://h/x.csv"))


async def failing(ongage: OngageClient) -> None:
    try:
        await ongage.imports.wait(1)
    except BudgetError as error:
        assert_type(error.retry_after_s, float)
    except ImportFailedError as error:
        assert_type(error.status, int)
    except APIError as error:
        assert_type(error.code, int | None)
    except OngageError as error:
        assert_type(error.outcome, Outcome)
        assert_type(error.operation, str | None)


async def governing(governor: Governor) -> None:
    async with governor.permit(Lane.BULK, max_wait_s=10.0) as permit:
        assert_type(permit.queued_s, float)
    assert_type(await governor.eta(Lane.URGENT, calls=5), float)
    assert_type(await governor.statistics(), GovernorStatistics)


def drifting() -> None:
    report = drift_report(reset=True)
    assert_type(report, DriftReport)
    assert_type(list(report), list[DriftRow])
    assert_type((len(report), report.others), tuple[int, int])
    drift_report(True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def emulating() -> None:
    async with Emulator(calls=600, readings=Readings(window="sliding")) as emulator:
        assert_type(emulator.url, str)
        assert_type(emulator.witness, Witness)
        emulator.faults.add("contacts.*", Fault.status(503), times=1)
        emulator.imports.script = [40001, Step(40002, for_s=5.0, progress=50), 40003]
        assert_type(emulator.witness.worst_window(60.0), int)
    Readings(window="round")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
