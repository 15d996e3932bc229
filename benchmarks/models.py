"""What typed models cost: from the bytes of an answer to models, and from models to the bytes of a request.

Ours does all that a call of the client does between the socket and the caller: the envelope, the models, what they do
not know kept and counted. Beside it, on the same bytes and in turns: pydantic and msgspec (`model_peers.py`), and json
alone, which makes dicts. Processor time, so that a busy machine disturbs less.
"""

import json
import time
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

import attrs

from benchmarks.report import median_and_spread
from ongage_async import _wire
from ongage_async._operation import Answer, Operation
from ongage_async.models import Contact, MailingList, _json
from ongage_async.resources._answers import Reader
from ongage_async.resources.contacts import GET_BY_EMAIL, Contacts
from ongage_async.resources.lists import GET, Lists
from tests.models import samples

__all__ = ["run"]

CONTACTS = 100
SETTINGS = ("name", "description", "type", "scope", "unsubscribe_default_link", "unsubscribe_confirmation_button")
"""Of a list, those that the vendor's sample fills and `lists.update` takes."""

Work = Callable[[], Any]


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure all of them at all of it, in turns, after a look whether they read the same."""
    _compare()
    rounds, lasts_s = (3, 0.005) if tiny else (25, 0.05)
    rows = []
    for what, contenders in works().items():
        took = _in_turns(contenders, rounds=rounds, lasts_s=lasts_s)
        peer = took["pydantic"]["median"]
        for name, figures in took.items():
            rows.append({"models": what, "by": name, "CPU, µs": figures, "times pydantic": figures["median"] / peer})
    return rows


def works() -> dict[str, dict[str, Work]]:
    """Return what is measured: the work, and who does it how."""
    page, shown, as_text = _page(), _list(samples.LIST), _list(_as_text(samples.LIST))
    contacts, mailing_list = _read_page(page), _read_list(shown)
    family, lists = Contacts(_Desk(), _READER), Lists(_Desk(), _READER)
    settings = {name: getattr(mailing_list, name) for name in SETTINGS}
    peers = import_module("benchmarks.model_peers")
    return {
        "100 contacts from JSON": {**_ours(_read_page, page), **peers.contacts(page)},
        "a list of 56 fields from JSON": {**_ours(_read_list, shown), **peers.mailing_list(shown)},
        "the same, its numbers and flags as text": {**_ours(_read_list, as_text), **peers.mailing_list(as_text)},
        "100 contacts to the body of a create": {
            "ongage_async": lambda: _sent(family.create(contacts, overwrite=True)),
            **peers.new_contacts(contacts),
        },
        "a list's settings to the body of an update": {
            "ongage_async": lambda: _sent(lists.update(1, **settings)),
            **peers.settings(shown, SETTINGS),
        },
    }


def _compare() -> None:
    """Refuse to measure what does not do the same."""
    for contenders in works().values():
        ours, others = contenders["ongage_async"](), contenders["pydantic"]()
        if isinstance(ours, bytes):
            body = json.loads(others)
            assert json.loads(ours) == body.get("rows", body)
            continue
        pairs = zip(ours, others, strict=True) if isinstance(ours, tuple) else [(ours, others)]
        for model, other in pairs:
            told = attrs.asdict(model)
            unknown = {**told.pop("fields", {}), **told.pop("extra")}
            assert {**told, **unknown} == {**dict(other), **other.model_extra}


def _in_turns(contenders: dict[str, Work], *, rounds: int, lasts_s: float) -> dict[str, dict[str, float]]:
    """Return the microseconds of each, after a first turn that warms up and tells how often to repeat."""
    repeat = {name: max(1, int(lasts_s / _seconds(work, 3))) for name, work in contenders.items()}
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            measured[name].append(_seconds(work, repeat[name]) * 1e6)
    return {name: median_and_spread(figures) for name, figures in measured.items()}


def _seconds(work: Work, repeat: int) -> float:
    started = time.process_time()
    for _ in range(repeat):
        work()
    return (time.process_time() - started) / repeat or 1e-6


# --- ours, as a call of the client does it ----------------------------------------------------------------------------


_READER = Reader()
_with_msgspec = _json._fast


def _ours(read: Callable[[bytes], Any], body: bytes) -> dict[str, Work]:
    def plain() -> Any:
        _json._fast = _without_msgspec
        return read(body)

    def fast() -> Any:
        _json._fast = _with_msgspec
        return read(body)

    return {"ongage_async": plain, "ongage_async[fast]": fast}


def _without_msgspec() -> None:
    return None


def _read_page(body: bytes) -> tuple[Contact, ...]:
    answer = _wire.read(GET_BY_EMAIL, 200, {}, body)
    return _READER.page(Contact, answer, GET_BY_EMAIL, offset=0, limit=CONTACTS).items


def _read_list(body: bytes) -> MailingList:
    return _READER.one(MailingList, _wire.read(GET, 200, {}, body), GET)


class _Sent(Exception):  # noqa: N818  # the way out of a call whose body is ready
    """Carries the body of a request."""


class _Desk:
    """Be the engine up to the point where the bytes of a request are ready."""

    async def call(self, operation: Operation, **what: Any) -> Answer:
        raise _Sent(_wire.render(operation, **what).body)


def _sent(call: Coroutine[Any, Any, object]) -> bytes:
    try:
        call.send(None)
    except _Sent as sent:
        return sent.args[0]
    raise AssertionError("nothing was sent")


# --- bodies -----------------------------------------------------------------------------------------------------------


def _page() -> bytes:
    return _envelope([_contact(number) for number in range(CONTACTS)], total=str(CONTACTS))


def _contact(number: int) -> dict[str, Any]:
    """Return the vendor's contact: numbers as text; of some, the status and a field are not known to this version."""
    contact = {
        **samples.CONTACT,
        "email": f"john{number}@doe.com",
        "id": f"5aae312578464ae01f8b{number:04}",
        "opted_in": "1",
        "preferences": [],
        "ocx_created_date": str(1521365285 + number),
        "ocx_bounce_date": "0",
        "ocx_import_id": str(83513 + number),
    }
    return contact | ({"ocx_status": "Bounced", "ocx_score": "7"} if number % 10 == 0 else {})


def _list(sample: dict[str, Any]) -> bytes:
    """Return an answer with a list of which a field and a type are not known to this version."""
    return _envelope({**sample, "frequencies": [], "type": "mixed", "colour": "blue"})


def _as_text(sample: dict[str, Any]) -> dict[str, Any]:
    return {key: str(int(value)) if isinstance(value, int) else value for key, value in sample.items()}


def _envelope(payload: Any, **metadata: Any) -> bytes:
    return json.dumps({"metadata": {"error": False, **metadata}, "payload": payload}).encode()
