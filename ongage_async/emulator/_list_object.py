"""The list object of the vendor: its many keys, their first values, and which of them a collection shows.

Pure data. Source: vendor page §3.1 (seed).
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["COLLECTION_KEYS", "FIRST_VALUES", "list_settings"]

FIRST_VALUES: dict[str, Any] = {
    "notification_email": None,
    "description": "",
    "hash_type": "",
    "unsubscribes": 0,
    "unsubscribe_default_link": True,
    "complaints": 0,
    "last_stats_date": None,
    "last_events_stats_date": None,
    "last_transactional_stats_date": None,
    "bounces": 0,
    "unsubscribe_success_html": None,
    "unsubscribe_confirmation_html": None,
    "unsubscribe_confirmation_button": "",
    "unsubscribe_redirect_url": None,
    "frequencies": None,
    "frequency_active": False,
    "frequency_html": None,
    "frequency_button": "",
    "frequency_field_id": None,
    "external_url_wrapper": "",
    "expiration_date": 0,
    "scope": None,
    "default_transactional_id": 12345,
    "welcome_email_id": None,
    "welcome_email_active": False,
    "welcome_email_esp_connection_id": None,
    "welcome_sms_id": None,
    "welcome_sms_active": False,
    "welcome_sms_connection_id": None,
    "welcome_sms_per_segment": None,
    "allowed_provider_connection_ids": None,
    "public_key": None,
    "image_host_base": None,
    "tracking_domain": None,
    "sms_field_id": None,
    "modified_counts": 0,
    "archive": False,
    "segment_welcome_emails": None,
    "included_segment_cache": None,
    "excluded_segment_cache": None,
    "header_template_id": None,
    "footer_template_id": None,
    "cke_keep_spaces_empty_blocks": False,
    "preprocess_minutes": None,
    "imports_concurrent_limit": 2,
    "demo_list_step": "",
    "link_query_params": None,
}

COLLECTION_KEYS = (
    *("id", "account_id", "name", "description", "type", "last_count", "last_active_count", "unsubscribes"),
    *("complaints", "last_stats_date", "bounces", "unsubscribe_success_html", "unsubscribe_confirmation_html"),
    *("unsubscribe_confirmation_button", "frequencies", "frequency_active", "frequency_html", "frequency_button"),
    *("external_url_wrapper", "expiration_date", "scope", "welcome_email_id", "welcome_email_active", "public_key"),
    *("image_host_base", "tracking_domain", "welcome_email_esp_connection_id", "sms_field_id", "frequency_field_id"),
    *("modified_counts", "archive", "segment_welcome_emails", "included_segment_cache", "excluded_segment_cache"),
    *("default", "created", "modified", "deleted"),
)


def list_settings(name: str, now: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a new list: the vendor's first values, then what was given."""
    return {"name": name, **FIRST_VALUES, **given, "created": now, "modified": now}
