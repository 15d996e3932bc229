"""Nothing that is secret or personal leaves the library by a side door.

A password, a key, addresses and a presigned URL are planted; then everything that a program may write down is
collected: logs at DEBUG of every library, reprs, texts, notes, tracebacks, pickles, events, reports.
"""

import logging
import pickle
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest

from ongage_async import ApiKey, Credentials, Governor, Limits, OngageClient, OngageError, RetryPolicy
from ongage_async.bulk import FileDrop, HostedFile, MemoryJournal
from ongage_async.emulator import Credentials as EmulatedCredentials
from ongage_async.emulator import Emulator, Fault, Readings, Step
from tests.client.conftest import TRUST

pytestmark = pytest.mark.anyio

USER, PASSWORD, CODE, KEY = "planted-user@doe.test", "planted-pass-1", "planted-code-2", "planted-key-3"
ADDRESS, OTHER = "planted.person@mail.test", "planted.other@mail.test"
PRESIGNED = "https://files.test/c.csv?X-Signature=planted-signature-4"
SECRETS = (USER, PASSWORD, CODE, KEY, ADDRESS, OTHER, "planted-signature-4", "planted.person", "planted-user")
ENCODED = tuple(secret.replace("@", "%40") for secret in SECRETS)
ONE_TIME_PATH = re.compile(r"[\w-]{40,}/[0-9a-f]{40,}\.csv")  # of the file drop: who has it has the file
ONCE = RetryPolicy.none()


class Leaks(logging.Handler):
    """Collect every text that something lets out, and say which planted secret is in it."""

    def __init__(self) -> None:
        super().__init__(level=logging.NOTSET)
        self.texts: list[str] = []
        self.loggers: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.threadName == "ongage-emulator":  # the vendor's own log, on the vendor's own machine
            return
        self.loggers.add(record.name)
        self.note(f"{record.name}: {record.getMessage()} {record.__dict__}")
        if record.exc_info:
            self.note("".join(traceback.format_exception(*record.exc_info)))

    def note(self, *things: Any) -> None:
        for thing in things:
            self.texts += [thing] if isinstance(thing, str) else [repr(thing), str(thing)]

    def note_error(self, error: BaseException) -> None:
        self.note(error, *error.args, *getattr(error, "__notes__", ()))
        self.note("".join(traceback.format_exception(error)))
        self.note(str(vars(error)))
        self.note(pickle.dumps(error).decode("latin-1"))
        if isinstance(report := getattr(error, "report", None), object) and report is not None:
            self.note(report, report.as_text(), report.as_json())

    @property
    def found(self) -> set[str]:
        return {secret for text in self.texts for secret in (*SECRETS, *ENCODED) if secret in text}


@pytest.fixture
def leaks() -> Iterator[Leaks]:
    handler, root = Leaks(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    known = EmulatedCredentials(USER, PASSWORD, CODE)
    made = Emulator(credentials=known, api_key=KEY, calls=None, parallel=None, readings=Readings())
    made.imports.queued_s = made.imports.validating_s = made.imports.stats_s = 0.002
    made.state.default_list.add_contact(ADDRESS, name="x")
    with made:
        yield made


@pytest.fixture(params=["own", "httpx", "httpx2"])
async def ongage(request: pytest.FixtureRequest, emulator: Emulator, leaks: Leaks) -> Any:
    stack = {"own": None, "httpx": httpx, "httpx2": httpx2}[request.param]
    mine = stack.AsyncClient(verify=TRUST) if stack else None
    async with OngageClient(
        Credentials(USER, PASSWORD, CODE),
        base_url=emulator.url,
        governor=Governor(Limits(calls=100_000)),
        retry=ONCE,
        http_client=mine,
        ssl_context=TRUST,
        on_event=leaks.note,
    ) as client:
        yield client
    if mine is not None:
        await mine.aclose()


async def caught(leaks: Leaks, call: Any) -> OngageError:
    with pytest.raises(OngageError) as error:
        await call
    leaks.note_error(error.value)
    return error.value


async def test_successes_let_nothing_out(ongage: OngageClient, leaks: Leaks):
    contact = await ongage.contacts.get_by_email(ADDRESS)
    leaks.note(contact, await ongage.contacts.get_by_id(contact.id))
    leaks.note(await ongage.contacts.add(OTHER, {"name": "x"}))
    report = await ongage.contacts.create([{"email": ADDRESS}, {"email": "planted.third@mail.test"}])
    leaks.note(report, report.result, *report.outcomes)
    leaks.note(await ongage.contacts.change_status([ADDRESS], "unsubscribe"))
    leaks.note(await ongage.contacts.delete(contact.id))
    leaks.note(await ongage.imports.create(PRESIGNED), *await ongage.imports.page())
    leaks.note(await ongage.request("GET", "/api/contacts/cross_account", params={"email": OTHER}))
    leaks.note(ongage, ongage.with_options(list_id=1), ongage.contacts, ongage.governor, ongage._engine.transport)
    assert leaks.found == set()
    assert "ongage_async.calls" in leaks.loggers


ECHO = {
    "metadata": {"error": True},
    "payload": {
        "code": 412,
        "message": f"Cannot use {ADDRESS} from {PRESIGNED}",
        "errors": {ADDRESS: [f"{OTHER} is taken"], "file_url": PRESIGNED},
    },
}
FAULTS = {
    **{str(status): Fault.status(status, ECHO) for status in (400, 401, 403, 404, 412, 418, 429, 500, 503)},
    "error in a success": Fault.status(200, ECHO),
    "another shape": Fault.status(200, {"metadata": {"error": False}, "payload": [ADDRESS, PRESIGNED]}),
    "garbage": Fault.garbage(f"<p>{ADDRESS} {PRESIGNED} ".encode() * 20),
    "drop": Fault.drop(),
    "half a body": Fault.half_body(),
    "late": Fault.delay(0.2),
    "drip": Fault.drip(0.02, 4),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_errors_let_nothing_out_though_the_vendor_repeats_what_it_was_sent(
    ongage: OngageClient, emulator: Emulator, leaks: Leaks, fault: str
):
    emulator.faults.add("*", FAULTS[fault])
    view = ongage.with_options(timeout_s=0.05, max_wait_s=0.0)
    calls = [view.contacts.get_by_email(ADDRESS), view.contacts.get_by_id(ADDRESS)]
    if fault != "another shape":
        calls += [
            view.contacts.create([{"email": ADDRESS}]),
            view.imports.create(PRESIGNED),
            view.contacts.cross_account(ADDRESS),
        ]
    for call in calls:
        await caught(leaks, call)
    assert leaks.found == set()


async def test_a_key_that_is_refused_lets_nothing_out(emulator: Emulator, leaks: Leaks):
    wrong = ApiKey(KEY + "x")
    leaks.note(wrong, f"{wrong!r} {wrong}", Credentials(USER, PASSWORD, CODE))
    async with OngageClient(wrong, base_url=emulator.url, ssl_context=TRUST) as ongage:
        await caught(leaks, ongage.contacts.get_by_email(ADDRESS))
        leaks.note(ongage)
    async with OngageClient(wrong, base_url="http://127.0.0.1:9", ssl_context=TRUST, retry=ONCE) as ongage:
        await caught(leaks, ongage.contacts.get_by_email(ADDRESS))
    assert leaks.found == set()


async def test_credentials_are_in_no_local_variable_of_a_traceback(ongage: OngageClient, leaks: Leaks):
    """Crash reporters write down the locals of every frame."""
    with pytest.raises(OngageError) as error:
        await ongage.lists.get(1)
    told = traceback.TracebackException.from_exception(error.value, capture_locals=True)
    text = "".join(told.format())
    assert "ongage_async" in text
    assert not [secret for secret in (PASSWORD, CODE, KEY) if secret in text]


async def test_arguments_that_are_refused_are_not_repeated(ongage: OngageClient, leaks: Leaks):
    for call in (
        ongage.contacts.create([{"email": ADDRESS, "x": float("nan")}]),
        ongage.contacts.create([{"email": ADDRESS, "x": object()}]),
        ongage.contacts.change_status([ADDRESS], ADDRESS),
        ongage.imports.create("ftp://files.test/c.csv?X-Signature=planted-signature-4"),
        ongage.imports.create(PRESIGNED, csv_delimiter=ADDRESS),
    ):
        await caught(leaks, call)
    for make in (
        lambda: Credentials(USER, PASSWORD + "\n", CODE),
        lambda: ApiKey(KEY + " "),
        lambda: OngageClient(ApiKey(KEY), base_url=f"https://u:{PASSWORD}@h"),
        lambda: OngageClient(ApiKey(KEY), governor=f"carrier://u:{PASSWORD}@h"),
    ):
        with pytest.raises(OngageError) as error:
            make()
        leaks.note_error(error.value)
    assert leaks.found == set()


@pytest.fixture
def access_log(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Return the access log as a web app has it; the emulator's own server has switched it off."""
    logger = logging.getLogger("uvicorn.access")
    monkeypatch.setattr(logger, "propagate", True)
    return logger


async def test_a_load_lets_nothing_out(
    ongage: OngageClient, emulator: Emulator, leaks: Leaks, tmp_path: Path, access_log: logging.Logger
):
    source = tmp_path / f"{ADDRESS}.csv"
    source.write_text(f"email,name\n{ADDRESS},x\n{OTHER} ,y\nplanted.person at mail.test,z\n")
    journal = MemoryJournal()
    async with FileDrop.serve() as drop:
        report = await ongage.imports.run(
            source, stage=drop, journal=journal, progress=leaks.note, interval_s=0.005, side_file=tmp_path / "side.csv"
        )
        leaks.note(report, report.as_text(), report.as_json(), report.vendor, *report.fetches)
        leaks.note(*journal.entries, drop)
        emulator.imports.script = [Step(90001, info=f"cannot read {ADDRESS} of {PRESIGNED}")]
        await caught(leaks, ongage.imports.run(source, stage=drop, interval_s=0.005, side_file=tmp_path / "side.csv"))
    assert report.rows_sent == 2
    assert leaks.found == set()
    assert [text for text in leaks.texts if ONE_TIME_PATH.search(text)] == []


async def test_a_file_drop_leaves_the_access_log_of_the_program_alone(access_log: logging.Logger, leaks: Leaks):
    async with FileDrop.serve():
        pass
    access_log.info("a line of the program's own")
    assert access_log.propagate
    assert "uvicorn.access" in leaks.loggers


async def test_a_hosted_file_lets_nothing_out(ongage: OngageClient, emulator: Emulator, leaks: Leaks):
    emulator.imports.script = [40001, Step(90008, info=f"cannot fetch {PRESIGNED}")]
    hosted, journal = HostedFile(PRESIGNED), MemoryJournal()
    leaks.note(hosted, hosted.name)
    await caught(leaks, ongage.imports.run(hosted, journal=journal, interval_s=0.005))
    made = await ongage.imports.create(PRESIGNED)
    await caught(leaks, ongage.imports.wait(made.id, interval_s=0.005))
    emulator.imports.script = [Step(40002, info=f"{PRESIGNED} of {ADDRESS}")]
    made = await ongage.imports.create(PRESIGNED)
    await caught(leaks, ongage.imports.wait(made.id, interval_s=0.005, timeout_s=0.03))
    leaks.note(*journal.entries)
    assert leaks.found == set()


async def test_a_listener_that_fails_is_logged_without_what_it_was_told(emulator: Emulator, leaks: Leaks):
    def fail(event: object) -> None:
        raise ValueError("no")

    made = Credentials(USER, PASSWORD, CODE)
    async with OngageClient(made, base_url=emulator.url, ssl_context=TRUST, on_event=fail) as ongage:
        await ongage.contacts.get_by_email(ADDRESS)
    assert leaks.found == set()


async def test_a_cancelled_call_lets_nothing_out(ongage: OngageClient, emulator: Emulator, leaks: Leaks):
    emulator.latency = 0.05
    with anyio.move_on_after(0.01):
        await ongage.contacts.get_by_email(ADDRESS)
    await ongage.aclose()
    assert leaks.found == set()


def test_the_net_catches_what_it_should(leaks: Leaks):
    """The proof of the proof: each door, left open, is seen."""
    logging.getLogger("some.library").debug("GET /by_email/%s", ADDRESS.replace("@", "%40"))
    assert leaks.found == {ADDRESS.replace("@", "%40"), "planted.person"}
    leaks.texts.clear()
    leaks.note_error(ValueError(PASSWORD))
    assert leaks.found == {PASSWORD}
