"""What each operation declares: what reaches people is never repeated, what stops it goes first."""

from types import ModuleType

import pytest

from ongage_async._operation import ListIn, Operation, Repeat
from ongage_async.config import Lane
from ongage_async.emulator.families import ROUTES
from ongage_async.resources import (
    _mailing_control,
    email_tags,
    emails,
    esp_connections,
    events,
    images,
    mailings,
    reports,
    sms,
    transactional,
    validation,
    workflow_analytics,
)

MODULES: tuple[ModuleType, ...] = (
    _mailing_control,
    email_tags,
    emails,
    esp_connections,
    events,
    images,
    mailings,
    reports,
    sms,
    transactional,
    validation,
    workflow_analytics,
)
DECLARED: list[tuple[str, Operation]] = [
    (f"{module.__name__.rpartition('.')[2]}.{name}", value)
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, Operation)
]

NEVER = {
    "mailings.CREATE",
    "mailings.UPDATE",
    "_mailing_control.RESUME",
    "_mailing_control.REVIVE",
    "transactional.SEND",
    "transactional.SEND_MANY",
    "transactional.SEND_EMBED_CONTENT",
    "transactional.NOTIFY",
    "events.CREATE_ACTIVE",
    "events.TOGGLE",
}
IF_UNSENT = {
    "mailings.RESCHEDULE",
    "_mailing_control.HOLD",
    "_mailing_control.ABORT",
    "_mailing_control.COPY",
    "transactional.CREATE",
    "emails.CREATE",
    "emails.COPY",
    "emails.FAVOURITE",
    "emails.FAVORITE",
    "sms.CREATE",
    "email_tags.CREATE",
    "email_tags.CREATE_GLOBAL",
    "images.CREATE",
    "events.CREATE",
    "esp_connections.CREATE",
    "esp_connections.CREATE_ADDRESS",
    "validation.VALIDATE",
}
URGENT = {
    "_mailing_control.HOLD",
    "_mailing_control.ABORT",
    "_mailing_control.CANCEL",
    "_mailing_control.UNSCHEDULE",
    "transactional.SEND",
    "transactional.SEND_EMBED_CONTENT",
    "transactional.NOTIFY",
    "validation.VALIDATE",
}
BULK = {"mailings.POLL", "transactional.SEND_MANY"}
ONE_ROUTE = {"mailings.hold": "mailings.abort", "mailings.resume": "mailings.abort"}  # told apart by the body alone


def test_repeat_classes_are_as_decided() -> None:
    assert {name for name, operation in DECLARED if operation.repeat is Repeat.NEVER} == NEVER
    assert {name for name, operation in DECLARED if operation.repeat is Repeat.IF_UNSENT} == IF_UNSENT


def test_lanes_are_as_decided() -> None:
    assert {name for name, operation in DECLARED if operation.lane is Lane.URGENT} == URGENT
    assert {name for name, operation in DECLARED if operation.lane is Lane.BULK} == BULK


@pytest.mark.parametrize(("name", "operation"), DECLARED, ids=[name for name, _ in DECLARED])
def test_the_emulator_knows_each_operation_by_the_same_name(name: str, operation: Operation) -> None:
    wanted = ONE_ROUTE.get(operation.name, operation.name)
    shapes = {(route.method, route.path.count("/")) for route in ROUTES if route.operation == wanted}
    assert (operation.method, operation.route.count("/")) in shapes


def test_calls_of_the_account_have_no_list() -> None:
    account = {operation.name.partition(".")[0] for _, operation in DECLARED if operation.list_in is ListIn.NOWHERE}
    assert account == {"esp_connections", "images", "validation", "email_tags", "reports"}
