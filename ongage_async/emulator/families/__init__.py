"""The endpoint families, one file each; a new family adds its file and one line here.

A family is a tuple of `Route`s named ``ROUTES``; its handlers take a `Call` and return an `Answer` or raise a
`Refusal`.
"""

from ongage_async.emulator._router import Route
from ongage_async.emulator.families import (
    aggregate_activity,
    contact_activity,
    contact_counts,
    contact_search,
    contacts,
    contacts_v1,
    email_tags,
    emails,
    esp_connections,
    events,
    exports,
    images,
    imports,
    list_fields,
    lists,
    mailings,
    reports,
    segments,
    sms,
    suppression,
    transactional,
    validation,
    workflow_analytics,
)

__all__ = ["ROUTES"]

ROUTES: tuple[Route, ...] = (
    *contacts.ROUTES,
    *contacts_v1.ROUTES,
    *lists.ROUTES,
    *list_fields.ROUTES,
    *imports.ROUTES,
    *contact_counts.ROUTES,
    *contact_search.ROUTES,
    *contact_activity.ROUTES,
    *aggregate_activity.ROUTES,
    *segments.ROUTES,
    *suppression.ROUTES,
    *exports.ROUTES,
    *mailings.ROUTES,
    *transactional.ROUTES,
    *emails.ROUTES,
    *sms.ROUTES,
    *email_tags.ROUTES,
    *images.ROUTES,
    *events.ROUTES,
    *reports.ROUTES,
    *esp_connections.ROUTES,
    *validation.ROUTES,
    *workflow_analytics.ROUTES,
)
