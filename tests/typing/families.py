"""Every family of the API as a type checker sees it. Never run: mypy --strict and pyright read it in `make types`."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, assert_type

from ongage_async import Like, OngageClient, ReportField, behavior, field, webhook
from ongage_async.models import (
    AddressVerdict,
    AggregateActivity,
    ContactActivity,
    ContactCount,
    ContactResult,
    ContactSearch,
    Email,
    EmailTag,
    Esp,
    EspConnection,
    Export,
    ExportDateFormat,
    FieldType,
    Image,
    ImageFolder,
    Import,
    ListField,
    ListFieldsReport,
    Mailing,
    MailingStatus,
    MutationResult,
    Page,
    ReportQuery,
    Segment,
    SendResult,
    SentChunk,
    Sms,
    SuppressionAction,
    SuppressionResult,
    TransactionalCampaign,
    TriggerEvent,
    WebhookEvent,
    WebhookStatus,
)
from ongage_async.resources import Group, ReportRows, Rule, Validation

CHILE = field("country").equals("Chile", "Peru")


def criteria() -> None:
    assert_type(CHILE, Rule)
    assert_type(CHILE & field("ocx_created_date").after(date(2026, 1, 1)), Rule | Group)
    assert_type(field("name").begins_with("Jo", like=Like.VENDOR) | field("name").is_empty(), Rule | Group)
    assert_type(behavior("opened", mailing_ids=[1, 2]), Rule)
    field("orders").at_least([1])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def list_fields(ongage: OngageClient) -> None:
    assert_type(await ongage.list_fields.page(type=FieldType.DATE), Page[ListField])
    assert_type(await ongage.list_fields.get(1), ListField)
    assert_type(await ongage.list_fields.create("x", "X", "string", position=1), ListField)
    assert_type(await ongage.list_fields.create_in_all_lists("x", "X", "string", position=1), ListFieldsReport)
    assert_type(await ongage.list_fields.update(1, title="Y"), ListField)
    await ongage.list_fields.delete(1)


async def segments(ongage: OngageClient) -> None:
    assert_type(await ongage.segments.create("Chile", criteria=CHILE), Segment)
    assert_type(await ongage.segments.get(1), Segment)
    assert_type(await ongage.segments.page(), Page[Segment])
    assert_type(ongage.segments.each(), AsyncIterator[Segment])
    assert_type(await ongage.segments.populate_external(1, [{"email": "a@doe.com"}]), MutationResult)
    assert_type(await ongage.segments.export("all", extra={"segment_id": 1}), Export)
    assert_type(await ongage.segments.export_retrieve(1, "export.zip"), tuple[Path, ...])
    await ongage.segments.delete(1)


async def suppression(ongage: OngageClient) -> None:
    assert_type(await ongage.suppression.add(7, ["a@doe.com"]), SuppressionResult)
    assert_type(await ongage.suppression.remove(7, ["a@doe.com"]), SuppressionResult)
    assert_type(await ongage.suppression.update(7, ["a@doe.com"], action=SuppressionAction.ADD), SuppressionResult)


async def audience_jobs(ongage: OngageClient) -> None:
    count = await ongage.contact_counts.create(criteria=CHILE)
    assert_type(count, ContactCount)
    assert_type(await ongage.contact_counts.wait(count.id), ContactCount)
    assert_type(ongage.contact_counts.watch(count.id), AsyncIterator[ContactCount])
    search = await ongage.contact_search.create("Chile", CHILE)
    assert_type(search, ContactSearch)
    assert_type(await ongage.contact_search.wait(search.id), ContactSearch)
    async for row in ongage.contact_search.rows(search.id):
        assert_type(row, ContactResult)
    assert_type(await ongage.contact_search.download(search.id, Path("rows.csv")), tuple[Path, ...])
    activity = await ongage.contact_activity.create("Chile", CHILE)
    assert_type(activity, ContactActivity)
    assert_type(ongage.contact_activity.watch(activity.id), AsyncIterator[ContactActivity])
    assert_type(ongage.contact_activity.rows(activity.id), AsyncIterator[ContactResult])
    together = await ongage.aggregate_activity.create("Chile", CHILE)
    assert_type(together, AggregateActivity)
    assert_type(await ongage.aggregate_activity.wait(together.id), AggregateActivity)
    assert_type(await ongage.aggregate_activity.page(), Page[AggregateActivity])
    await ongage.aggregate_activity.delete(together.id)


async def files(ongage: OngageClient) -> None:
    assert_type(ongage.imports.each(), AsyncIterator[Import])
    export = await ongage.exports.create(
        "all", date_format=ExportDateFormat("yyyy-mm-dd"), status=["active"], segment_id=[1]
    )
    assert_type(export, Export)
    assert_type(await ongage.exports.download(1, "export.zip", unzip=True), tuple[Path, ...])


async def mailings(ongage: OngageClient) -> None:
    made = await ongage.mailings.create(
        "News", launch=datetime(2027, 1, 1, tzinfo=UTC), email_message=[1], segments=[2], is_test=True
    )
    assert_type(made, Mailing)
    assert_type(made.status, MailingStatus | None)
    async for snapshot in ongage.mailings.watch(made.id):
        assert_type(snapshot, Mailing)
    assert_type(await ongage.mailings.wait(made.id), Mailing)
    assert_type(await ongage.mailings.hold(made.id), Mailing)
    assert_type(await ongage.mailings.resume(made.id), Mailing)
    assert_type(await ongage.mailings.cancel(made.id), Mailing)
    assert_type(await ongage.mailings.copy(made.id), Mailing)
    assert_type(ongage.mailings.each(), AsyncIterator[Mailing])
    await ongage.mailings.create("News", email_message=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await ongage.mailings.create("News", launch="soon", email_message=1)  # type: ignore[arg-type]  # pyright: ignore


async def transactional(ongage: OngageClient) -> None:
    assert_type(await ongage.transactional.send(1, "a@doe.com"), SendResult)
    async for chunk in ongage.transactional.send_many(1, (f"{n}@doe.com" for n in range(9))):
        assert_type(chunk, SentChunk)
    assert_type(await ongage.transactional.send_embed_content(["a@doe.com"], subject="Hello"), SendResult)
    assert_type(await ongage.transactional.notify("a@doe.com"), SendResult)
    assert_type(await ongage.transactional.create("x", "y"), TransactionalCampaign)
    assert_type(await ongage.transactional.page(), Page[TransactionalCampaign])


async def messages(ongage: OngageClient) -> None:
    assert_type(await ongage.emails.create("x", subject="Hello"), Email)
    assert_type(await ongage.emails.update(1, subject="Hello"), Email)
    assert_type(await ongage.emails.page(), Page[Email])
    assert_type(ongage.emails.each(), AsyncIterator[Email])
    assert_type(await ongage.emails.copy(1, [7]), Any)
    assert_type(await ongage.sms.create("x", "y", "Hello"), Sms)
    assert_type(await ongage.email_tags.create("news"), EmailTag)
    assert_type(await ongage.email_tags.update(1, title="News"), EmailTag)
    assert_type(ongage.email_tags.each(), AsyncIterator[EmailTag])
    assert_type(await ongage.images.create("https://h/x.png"), Image)
    assert_type(await ongage.images.folders(), Page[ImageFolder])


async def events(ongage: OngageClient) -> None:
    made = await ongage.events.create("Welcome", status=True, segments=[1], triggers=[{}])
    assert_type(made, TriggerEvent)
    assert_type(await ongage.events.toggle_status(1), TriggerEvent)
    assert_type(ongage.events.each(), AsyncIterator[TriggerEvent])


async def reports(ongage: OngageClient) -> None:
    sent = ReportField("sent").sum()
    rows = ongage.reports.query(
        [sent, "mailing_name"],
        group=["mailing_name", ReportField("stats_date").by("day")],
        where=[ReportField("stats_date").at_least(date(2026, 1, 1))],
        order=[sent.descending()],
        list_ids="all",
    )
    assert_type(rows, ReportRows)
    async for row in rows:
        assert_type(row, dict[str, Any])
    assert_type(await ongage.reports.query(ReportQuery(select=[sent])).all(), list[dict[str, Any]])
    assert_type(await ongage.reports.values("country_iso", [sent]), tuple[Any, ...])


async def account(ongage: OngageClient) -> None:
    assert_type(await ongage.esp_connections.create(Esp(10)), EspConnection)
    assert_type(await ongage.esp_connections.options(), Page[EspConnection])
    assert_type(await ongage.esp_connections.get(1), EspConnection)
    validation = ongage.validation.with_key("k")
    assert_type(validation, Validation)
    assert_type(await validation.validate("a@doe.com"), AddressVerdict)
    assert_type(await ongage.workflow_analytics.workflows(date(2026, 1, 1), "2026-02-01"), Any)
    assert_type(await ongage.workflow_analytics.messages(date(2026, 1, 1), "2026-02-01"), Any)


def receiving(body: bytes) -> None:
    for event in webhook.parse(body):
        assert_type(event, WebhookEvent)
        assert_type(event.status, WebhookStatus)
