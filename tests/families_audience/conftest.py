"""A client and an emulator over real sockets, with contacts to ask about."""

from typing import Any

import pytest

from ongage_async.emulator import Emulator
from tests.client.conftest import (  # noqa: F401  # fixtures
    _no_proxy_but_a_tests_own,
    emulator,
    inside,
    ongage,
    ongage_inside,
    own_list,
    readings,
    wire,
)

CREATED = 1_700_000_000


@pytest.fixture
def people(emulator: Emulator, own_list: Any) -> dict[str, Any]:  # noqa: F811
    """Five contacts of four statuses; jobs are done at once."""
    emulator.state.audience.ready_s = 0.0
    rows = {
        "ann@doe.com": {"name": "Ann", "country": "Chile", "product_id": 1},
        "bob@doe.com": {"name": "Bob", "country": "Peru", "product_id": 2},
        "cid@roe.org": {"name": "Cid", "country": "Chile", "product_id": 3},
        "doe@com.net": {"name": "Anna", "country": "Chad", "product_id": 40},
        "eve@doe.com": {"name": "", "country": "", "product_id": None},
    }
    made = {email: own_list.contacts.add(email, values, created=CREATED) for email, values in rows.items()}
    for email, change in {"bob@doe.com": "unsubscribe", "cid@roe.org": "bounce", "eve@doe.com": "complaint"}.items():
        own_list.contacts.change_status(made[email], change, CREATED + 5)
    return made
