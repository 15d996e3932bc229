"""Bodies as the vendor's page shows them (vendor page §3.4 to §3.11), names and types unchanged."""

from typing import Any

COUNT: dict[str, Any] = {"active": 743895, "bounced": 172413, "complaint": 966, "unsubscribed": 381}
COUNT_TOTAL = "917655"

RULE: dict[str, Any] = {
    "id": "1234",
    "segment_id": "12345",
    "position": "0",
    "left_parenthesis": "0",
    "field_id": "63337",
    "field_name": "email",
    "operator": "=",
    "operand": '["test@test.test"]',
    "is_external_operand": "0",
    "right_parenthesis": "0",
    "condition": "and",
    "case_sensitive": "0",
    "type": "email",
    "group": "",
}

SEGMENT: dict[str, Any] = {
    "id": "12345",
    "list_id": "12345",
    "name": "list fields segment",
    "type": "Active",
    "description": "",
    "favorite": "0",
    "last_count": "345",
    "last_count_date": "1502005048",
    "last_count_request_date": None,
    "isp_breakdown": "",
    "last_sent": "0",
    "segment_quota": "0",
    "is_quota_percent": "0",
    "created_by": "1234",
    "created": "1502005048",
    "modified_by": "1234",
    "modified": "1502005048",
    "user_modified": "1502005048",
    "deleted": "0",
    "included_segment_cache": None,
    "excluded_segment_cache": None,
    "default_include_segment": "0",
    "default_exclude_segment": "0",
    "is_external": "0",
    "external_url": None,
    "external_insert_missing": "0",
    "external_include_unsubscribes": "0",
    "rules": [RULE],
}

SEGMENT_IN_COLLECTION: dict[str, Any] = {
    "id": "12345",
    "list_id": "12345",
    "list_name": "my list",
    "name": "list fields segment",
    "type": "Active",
    "description": "",
    "favorite": "0",
    "last_sent": "0",
    "last_count": "345",
    "last_count_date": "1502005048",
    "created_by": "1234",
    "created": "1502005048",
    "modified": "1502005048",
    "deleted": "0",
    "modifier": "admin",
}

SUPPRESSION: dict[str, Any] = {"rows": 3, "success": 3}
SUPPRESSION_ASKED: dict[str, Any] = {
    "list_id": 1,
    "action": "add",
    "emails": ["example1@example.com", "*@some-domain.com"],
}
SEARCH: dict[str, Any] = {"id": 50001, "status": 1, "status_desc": "Pending"}
ROW: dict[str, Any] = {
    "email": "john@doe.com",
    "country": "Chile",
    "ocx_contact_id": "5aae312578464ae01f8b4567",
    "ocx_status": "Active",
    "ocx_created_date": 1521365285,
    "sent": "3",
    "opens": 2,
    "clicks": None,
    "last_sent_date": "1521365999",
    "last_open_date": None,
}
