"""Bodies as the vendor POSTs them to an account's endpoint, to try one without an account. Source: vendor page §3.22.

Public. Nothing is sent: hand the bytes to your endpoint.

    body = webhook_body(("john@doe.com", "hard"), ("jane@doe.com", "unsubscribe"), list_id=60299)
"""

import json

__all__ = ["webhook_body"]


def webhook_body(*events: tuple[str, str], list_id: int = 60299, esp_name: str = "SparkPost") -> bytes:
    """Return one delivery.

    Args:
        *events: Address and status: ``soft``, ``hard``, ``unsubscribe``, ``complaint``, or one yet to be invented.
        list_id: List of all of them; as text on the wire (assumed, like most numbers of the vendor's).
        esp_name: Sending vendor of all of them.
    """
    rows = [
        {"email": email, "list_id": str(list_id), "status": status, "esp_name": esp_name} for email, status in events
    ]
    return json.dumps(rows).encode()
