"""Bodies as the vendor's pages show them (vendor page §3.12 to §3.22), numbers as text where they do."""

from typing import Any

MAILING: dict[str, Any] = {
    "id": "1740001",
    "type": "campaign",
    "account_id": "60306",
    "list_id": "60299",
    "is_test": "0",
    "split_type": None,
    "schedule_date": "1617541368",
    "name": "My new campaign",
    "description": "d",
    "status": "60005",
    "status_desc": "Error",
    "status_date": "1617541400",
    "created": "1617541300",
    "modified": "1617541400",
    "scheduled_by": "1035",
    "deleted": "0",
    "segments": [{"segment_id": "1429", "type": "Active", "name": "All", "last_count": "7", "exclude": "0"}],
    "distribution": [
        {"esp_id": "4", "esp_connection_id": 12345, "isp_id": "0", "domain": "default", "percent": "100", "name": "x"}
    ],
    "email_message": [
        {"type": "email_message", "email_message_id": "27", "name": "n", "description": "", "subject": "Hi"}
    ],
    "notify_onlaunch": "1",
}

MAILING_IN_COLLECTION: dict[str, Any] = {
    "id": "1740001",
    "name": "My new campaign",
    "schedule_date": "1617541368",
    "type": "campaign",
    "split_type": None,
    "status": "60004",
    "list_id": "60299",
    "status_desc": "Completed",
    "status_date": "1617541400",
    "scheduled_by": "1035",
    "has_quota": "0",
    "split_subject_content_email_id": None,
    "created_by": "1035",
    "favorite": "0",
    "created": "1617541300",
    "modified": "1617541400",
    "deleted": "0",
    "is_test": "0",
    "progress": "100",
    "manager": "user",
    "targeted": "7",
    "cannot_resume": "0",
    "cannot_resume_reason": "",
    "original_email_message_id": "27",
    "ox_data": None,
    "sending_start_date": "1617541368",
    "sending_end_date": "1617541400",
    "estimated_sending_end_date": "0",
    "emails_limit": None,
    "report": 1,
    "test": 0,
    "cancel": 0,
    "schedule": "delivered",
    "esps": "SparkPost",
}

EMAIL: dict[str, Any] = {
    "id": "27",
    "type": "email_message",
    "account_id": "60306",
    "list_id": "60299",
    "name": "hello",
    "description": "",
    "subject": "Hi",
    "content_html": "<p>",
    "content_text": "",
    "unsubscribe_default_link": "1",
    "unsubscribe_success_html": None,
    "unsubscribe_confirmation_html": None,
    "unsubscribe_confirmation_button": None,
    "created": "1617541300",
    "modified": "1617541400",
    "deleted": "0",
    "mailing_id": None,
}

SMS: dict[str, Any] = {
    "id": 99,
    "type": "sms",
    "account_id": 60306,
    "list_id": "60299",
    "name": "n",
    "description": "d",
    "content_html": None,
    "content_text": "text",
    "created_by": "1035",
    "created": 1617541300,
    "modified_by": None,
    "modified": None,
    "deleted": None,
}

IMAGE: dict[str, Any] = {
    "account_id": 60306,
    "file_name": "7_a.png",
    "mime_type": "image/png",
    "file_size": 1024,
    "name": "a.png",
    "created": 1617541300,
    "modified": 1617541300,
    "created_by": 1035,
    "id": 7,
}

IMAGE_FOLDER: dict[str, Any] = {
    "id": 3,
    "name": "logos",
    "favorite": False,
    "created_by": 1035,
    "account_id": 60306,
    "created": 1617541300,
    "modified": 1617541300,
    "deleted": None,
    "allowed_list_ids": [],
    "allowed_user_ids": [],
    "disallowed_user_ids": [],
}

ESP_OPTION = {"id": "12345", "esp_id": "4", "esp_name": "Amazon SES", "support_transactional": "1", "name": "ses"}

ESP_CREATED: dict[str, Any] = {
    "esp_id": 58,
    "account_id": 60306,
    "creator_id": 1035,
    "id": 12347,
    "currency": "USD",
    "created": 1617541300,
    "modified": 1617541300,
    "unsubscribe_keywords": None,
    "help_message_id": None,
    "help_transactional_id": None,
}

VERDICT = {"status": "Deliverable", "reason": "accepted_email"}
SENT = {"success": 1, "failed": 1, "failed_emails": ["jane@doe.com"]}
NOTIFIED = {"mailing_id": "12345", "not_active": ["jane@doe.com"]}
WEBHOOK = [
    {"email": "john@doe.com", "list_id": "60299", "status": "hard", "esp_name": "SparkPost"},
    {"email": "jane@doe.com", "list_id": 60299, "status": "unsubscribe", "esp_name": "SparkPost"},
]
