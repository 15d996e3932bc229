"""Contact activity reports: who got, opened and clicked what. Source: vendor page §3.6."""

import attrs

from ongage_async.models.contact_search import ContactSearch


@attrs.frozen(kw_only=True)
class ContactActivity(ContactSearch):
    """Hold one snapshot of a contact activity report; it looks like a search."""
