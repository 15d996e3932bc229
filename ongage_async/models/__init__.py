"""Typed values of the Ongage API: what comes back, what is sent, and what became of it.

Ground: no I/O, no clock. Making them from JSON is `_converter.py`'s business; resources call it, users read models.
"""

import typing as _typing

from ongage_async import _lazy

if _typing.TYPE_CHECKING:
    from ongage_async.models.aggregate_activity import AggregateActivity
    from ongage_async.models.connections import AddressVerdict, Deliverability, Esp, EspConnection
    from ongage_async.models.contact_activity import ContactActivity
    from ongage_async.models.contact_counts import ContactCount
    from ongage_async.models.contact_search import ContactResult, ContactSearch, ReportStatus
    from ongage_async.models.contacts import ChangeTo, Contact, ContactLike, ContactRow, ContactStatus, NewContact
    from ongage_async.models.exports import Export, ExportDateFormat, ExportStatus
    from ongage_async.models.imports import Import, ImportAction, ImportStatus
    from ongage_async.models.lists import (
        FieldType,
        HashType,
        ListField,
        ListFieldsReport,
        ListScope,
        ListType,
        MailingList,
    )
    from ongage_async.models.mailings import (
        Mailing,
        MailingMessage,
        MailingRoute,
        MailingSegment,
        MailingStatus,
        MailingType,
        SplitType,
    )
    from ongage_async.models.messages import Email, EmailTag, EmailType, Image, ImageFolder, Sms
    from ongage_async.models.outcomes import ContactsReport, MutationResult, RowKind, RowOutcome
    from ongage_async.models.pages import Page
    from ongage_async.models.reports import Column, Condition, Grouping, Order, ReportField, ReportQuery, ReportSource
    from ongage_async.models.segments import Segment, SegmentRule, SegmentType
    from ongage_async.models.suppression import SuppressionAction, SuppressionResult
    from ongage_async.models.transactional import SendKind, SendOutcome, SendResult, SentChunk, TransactionalCampaign
    from ongage_async.models.triggers import EventBase, TriggerEvent
    from ongage_async.models.webhooks import WebhookEvent, WebhookStatus
else:
    __getattr__, __dir__ = _lazy.lazily(
        __name__,
        {
            "aggregate_activity": "AggregateActivity",
            "connections": "AddressVerdict Deliverability Esp EspConnection",
            "contact_activity": "ContactActivity",
            "contact_counts": "ContactCount",
            "contact_search": "ContactResult ContactSearch ReportStatus",
            "contacts": "ChangeTo Contact ContactLike ContactRow ContactStatus NewContact",
            "exports": "Export ExportDateFormat ExportStatus",
            "imports": "Import ImportAction ImportStatus",
            "lists": "FieldType HashType ListField ListFieldsReport ListScope ListType MailingList",
            "mailings": "Mailing MailingMessage MailingRoute MailingSegment MailingStatus MailingType SplitType",
            "messages": "Email EmailTag EmailType Image ImageFolder Sms",
            "outcomes": "ContactsReport MutationResult RowKind RowOutcome",
            "pages": "Page",
            "reports": "Column Condition Grouping Order ReportField ReportQuery ReportSource",
            "segments": "Segment SegmentRule SegmentType",
            "suppression": "SuppressionAction SuppressionResult",
            "transactional": "SendKind SendOutcome SendResult SentChunk TransactionalCampaign",
            "triggers": "EventBase TriggerEvent",
            "webhooks": "WebhookEvent WebhookStatus",
        },
    )

__all__ = [
    "AddressVerdict",
    "AggregateActivity",
    "ChangeTo",
    "Column",
    "Condition",
    "Contact",
    "ContactActivity",
    "ContactCount",
    "ContactLike",
    "ContactResult",
    "ContactRow",
    "ContactSearch",
    "ContactStatus",
    "ContactsReport",
    "Deliverability",
    "Email",
    "EmailTag",
    "EmailType",
    "Esp",
    "EspConnection",
    "EventBase",
    "Export",
    "ExportDateFormat",
    "ExportStatus",
    "FieldType",
    "Grouping",
    "HashType",
    "Image",
    "ImageFolder",
    "Import",
    "ImportAction",
    "ImportStatus",
    "ListField",
    "ListFieldsReport",
    "ListScope",
    "ListType",
    "Mailing",
    "MailingList",
    "MailingMessage",
    "MailingRoute",
    "MailingSegment",
    "MailingStatus",
    "MailingType",
    "MutationResult",
    "NewContact",
    "Order",
    "Page",
    "ReportField",
    "ReportQuery",
    "ReportSource",
    "ReportStatus",
    "RowKind",
    "RowOutcome",
    "Segment",
    "SegmentRule",
    "SegmentType",
    "SendKind",
    "SendOutcome",
    "SendResult",
    "SentChunk",
    "Sms",
    "SplitType",
    "SuppressionAction",
    "SuppressionResult",
    "TransactionalCampaign",
    "TriggerEvent",
    "WebhookEvent",
    "WebhookStatus",
]
