"""Custom aggregate activity reports. Source: vendor page §3.7."""

import attrs

from ongage_async.models.contact_search import ContactSearch


@attrs.frozen(kw_only=True)
class AggregateActivity(ContactSearch):
    """Hold one snapshot of an aggregate activity report; it looks like a search."""
