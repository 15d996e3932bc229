"""The families of the API as typed methods, one file each, and the builders of criteria that several of them take.

The client makes them, users call them as ``ongage.<family>.<verb>``. A resource knows routes, parameters and models. It
knows the engine as a `Caller`, and nothing below it. Each is imported when it is first used.
"""

import typing as _typing

from ongage_async import _lazy

if _typing.TYPE_CHECKING:
    from ongage_async.resources.aggregate_activity import AggregateActivities
    from ongage_async.resources.contact_activity import ContactActivities
    from ongage_async.resources.contact_counts import ContactCounts
    from ongage_async.resources.contact_search import ContactSearches
    from ongage_async.resources.contacts import Contacts
    from ongage_async.resources.criteria import Criteria, Field, Group, Like, Rule, behavior, field
    from ongage_async.resources.email_tags import EmailTags
    from ongage_async.resources.emails import EmailContent, EmailFilters, Emails
    from ongage_async.resources.esp_connections import EspConnections
    from ongage_async.resources.events import Events
    from ongage_async.resources.exports import Exports
    from ongage_async.resources.images import Images
    from ongage_async.resources.imports import Imports
    from ongage_async.resources.list_fields import ListFieldFilters, ListFields
    from ongage_async.resources.lists import ListFilters, Lists
    from ongage_async.resources.mailings import MailingFilters, MailingOptions, Mailings
    from ongage_async.resources.reports import ReportRows, Reports
    from ongage_async.resources.segments import Segments
    from ongage_async.resources.sms import SmsMessages
    from ongage_async.resources.suppression import Suppression
    from ongage_async.resources.transactional import SendOptions, Transactional
    from ongage_async.resources.validation import Validation
    from ongage_async.resources.workflow_analytics import WorkflowAnalytics
else:
    __getattr__, __dir__ = _lazy.lazily(
        __name__,
        {
            "aggregate_activity": "AggregateActivities",
            "contact_activity": "ContactActivities",
            "contact_counts": "ContactCounts",
            "contact_search": "ContactSearches",
            "contacts": "Contacts",
            "criteria": "Criteria Field Group Like Rule behavior field",
            "email_tags": "EmailTags",
            "emails": "EmailContent EmailFilters Emails",
            "esp_connections": "EspConnections",
            "events": "Events",
            "exports": "Exports",
            "images": "Images",
            "imports": "Imports",
            "list_fields": "ListFieldFilters ListFields",
            "lists": "ListFilters Lists",
            "mailings": "MailingFilters MailingOptions Mailings",
            "reports": "ReportRows Reports",
            "segments": "Segments",
            "sms": "SmsMessages",
            "suppression": "Suppression",
            "transactional": "SendOptions Transactional",
            "validation": "Validation",
            "workflow_analytics": "WorkflowAnalytics",
        },
    )

__all__ = [
    "AggregateActivities",
    "ContactActivities",
    "ContactCounts",
    "ContactSearches",
    "Contacts",
    "Criteria",
    "EmailContent",
    "EmailFilters",
    "EmailTags",
    "Emails",
    "EspConnections",
    "Events",
    "Exports",
    "Field",
    "Group",
    "Images",
    "Imports",
    "Like",
    "ListFieldFilters",
    "ListFields",
    "ListFilters",
    "Lists",
    "MailingFilters",
    "MailingOptions",
    "Mailings",
    "ReportRows",
    "Reports",
    "Rule",
    "Segments",
    "SendOptions",
    "SmsMessages",
    "Suppression",
    "Transactional",
    "Validation",
    "WorkflowAnalytics",
    "behavior",
    "field",
]
