"""What cannot be sent, and files that are not what they should be: a clear word, and nothing lost."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ongage_async import ConfigurationError, CSVError, ImportFailedError, InvalidInputError, OngageClient
from ongage_async.bulk import FileDrop, HostedFile, ImportReport
from ongage_async.emulator import Emulator
from tests.client.servers import RawServer

pytestmark = pytest.mark.anyio

MANY = [{"email": f"c{number}@doe.com"} for number in range(501)]
REFUSED: dict[str, tuple[Callable[[OngageClient], Any], str]] = {
    "no rows": (lambda ongage: ongage.contacts.create([]), "no rows: give at least one"),
    "501 rows": (lambda ongage: ongage.contacts.create(MANY), "501 rows in one call; 500 are allowed: use upsert_many"),
    "501 updates": (lambda ongage: ongage.contacts.update(MANY), "500 are allowed"),
    "one row bare": (lambda ongage: ongage.contacts.create({"email": "a@doe.com"}), r"even for one: \[row\]"),
    "no address": (lambda ongage: ongage.contacts.create([{"name": "x"}]), "row 1 has no email"),
    "blank address": (lambda ongage: ongage.contacts.create([{"email": " "}]), "row 1: `email` is blank"),
    "nobody to update": (lambda ongage: ongage.contacts.update([{"name": "x"}]), "neither email nor id"),
    "NaN": (lambda ongage: ongage.contacts.create([{"email": "a@doe.com", "x": float("nan")}]), "not a finite number"),
    "no addresses": (lambda ongage: ongage.contacts.change_status([], "remove"), "no addresses"),
    "text for a list": (lambda ongage: ongage.contacts.change_status("a@doe.com", "remove"), "a list of addresses"),
    "unknown change": (lambda ongage: ongage.contacts.change_status(["a@doe.com"], "forget"), "must be one of"),
    "no ids": (lambda ongage: ongage.contacts.delete([]), "no contact ids"),
    "empty path": (lambda ongage: ongage.contacts.get_by_email(" "), "`email` is missing or blank"),
    "dots in a path": (lambda ongage: ongage.contacts.get_by_id(".."), "missing or blank"),
    "a local file": (lambda ongage: ongage.imports.create("contacts.csv"), "full http or https URL"),
    "a delimiter": (lambda ongage: ongage.imports.create("https://h/x.csv", csv_delimiter="#"), "a comma, a pipe"),
    "an update of nothing": (lambda ongage: ongage.list_fields.update(1), "nothing to update"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_sent_is_refused_before_it_is(ongage: OngageClient, emulator: Emulator, case: str):
    call, sentence = REFUSED[case]
    with pytest.raises(InvalidInputError, match=sentence) as caught:
        await call(ongage)
    assert isinstance(caught.value, ValueError)
    assert len(emulator.witness) == 0


async def test_500_rows_are_one_call(ongage: OngageClient, emulator: Emulator, own_list: Any):
    assert len(await ongage.contacts.create(MANY[:500])) == 500
    assert (len(emulator.witness), len(own_list.contacts)) == (1, 500)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def load(ongage: OngageClient, emulator: Emulator, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that loads bytes as a file, by a drop that the emulator reaches without sockets."""
    drop = FileDrop("https://drop.test")
    emulator.mount_fetch("https://drop.test", drop.app)

    async def loading(data: bytes, **options: Any) -> ImportReport:
        source = tmp_path / "contacts.csv"
        source.write_bytes(data)
        return await ongage.imports.run(source, stage=drop, interval_s=0.005, **options)

    return loading


def names(own_list: Any) -> dict[str, str | None]:
    return {contact.email: own_list.view(contact)["name"] for contact in own_list.contacts}


def rejected(report: ImportReport) -> list[dict[str, str]]:
    assert report.side_file is not None
    with report.side_file.open(encoding="utf-8-sig", newline="") as side:
        return list(csv.DictReader(side))


UNUSABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b"\n\n \n", "empty|header|email"),
    "no email column": (b"name,country\nAnn,Chile\n", "email"),
    "wrong encoding": ("email,name\na@doe.com,Zoë\n".encode("cp1252"), "UTF-8|encoding"),
    "not text": (b"\x89PNG\r\n\x1a\n\x00\xff\xfe\x00", "UTF-8|encoding|email"),
    "a damaged archive": (b"PK\x03\x04\x00\x00\xff\xfe\x00", "damaged or unusual ZIP"),
}


@pytest.mark.parametrize("case", UNUSABLE)
async def test_a_file_that_cannot_be_used_is_refused_and_nothing_is_sent_or_left(
    load: Any, emulator: Emulator, own_list: Any, tmp_path: Path, case: str
):
    data, sentence = UNUSABLE[case]
    with pytest.raises(CSVError, match=sentence) as caught:
        await load(data)
    assert caught.value.reason
    assert emulator.witness.count("imports.create") == len(own_list.contacts) == 0
    assert os.listdir(tmp_path) == ["contacts.csv"]  # noqa: PTH208


GOOD: dict[str, tuple[bytes, dict[str, str | None], dict[str, Any]]] = {
    "a byte order mark": ("\ufeffemail,name\na@doe.com,Zoë\n".encode(), {"a@doe.com": "Zoë"}, {}),
    "UTF-16": ("email,name\na@doe.com,Zoë\n".encode("utf-16"), {"a@doe.com": "Zoë"}, {}),
    "a named encoding": ("email,name\na@doe.com,Zoë\n".encode("cp1252"), {"a@doe.com": "Zoë"}, {"encoding": "cp1252"}),
    "quoted newlines": (b'email,name\r\na@doe.com,"one\r\ntwo, ""3"""\r\n', {"a@doe.com": 'one\r\ntwo, "3"'}, {}),
    "semicolons": (b"email;name\na@doe.com;x,y\n", {"a@doe.com": "x,y"}, {}),
    "tabs": (b"email\tname\na@doe.com\tx\n", {"a@doe.com": "x"}, {}),
    "columns that have another name": (
        b"E-Mail,Full name\na@doe.com,x\n",
        {"a@doe.com": "x"},
        {"mapping": {"E-Mail": "email", "Full name": "name"}},
    ),
    "no newline at the end": (b"email,name\na@doe.com,x", {"a@doe.com": "x"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
async def test_files_as_they_come_are_loaded_exactly(load: Any, own_list: Any, case: str):
    data, expected, options = GOOD[case]
    report = await load(data, **options)
    assert (report.adds_up, report.rows_rejected) == (True, {})
    assert {email: (name or "").replace("\r\n", "\n") for email, name in names(own_list).items()} == {
        email: (name or "").replace("\r\n", "\n") for email, name in expected.items()
    }


async def test_ragged_rows_go_to_the_side_file_and_the_others_are_loaded(load: Any, own_list: Any):
    report = await load(b"email,name\na@doe.com\nb@doe.com,B\nc@doe.com,C,more\nd@doe.com,D\n")
    assert names(own_list) == {"b@doe.com": "B", "d@doe.com": "D"}
    assert [row["ongage_row"] for row in rejected(report)] == ["2", "4"]
    assert (report.rows_read, report.rows_sent, sum(report.rows_rejected.values())) == (4, 2, 2)


async def test_nothing_is_lost_between_the_list_and_the_side_file(load: Any, own_list: Any):
    rows = [(f"c{number}@doe.com" if number % 7 else f"c{number}", f"n{number}") for number in range(1, 301)]
    report = await load("\n".join(["email,name", *(",".join(row) for row in rows)]).encode())
    kept = {email for email, _ in rows if "@" in email}
    assert set(names(own_list)) == kept
    assert {row["email"] for row in rejected(report)} == {email for email, _ in rows} - kept
    assert report.adds_up


async def test_a_header_alone_sends_nothing(load: Any, emulator: Emulator):
    report = await load(b"email,name\n")
    assert (report.import_id, report.rows_read, emulator.witness.count("imports.create")) == (None, 0, 0)


async def test_a_file_that_is_not_there_is_told(ongage: OngageClient, tmp_path: Path):
    with pytest.raises(
        (CSVError, ConfigurationError, FileNotFoundError), match=r"No such file|not found|does not exist"
    ):
        await ongage.imports.run(tmp_path / "gone.csv", stage=FileDrop("https://drop.test"))


async def test_a_load_needs_a_stage(ongage: OngageClient, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="stage= is needed"):
        await ongage.imports.run(tmp_path / "contacts.csv")


async def test_a_url_that_answers_404_fails_the_import_with_the_reason(ongage: OngageClient, own_list: Any):
    missing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
    with RawServer(lambda _: missing) as server, pytest.raises(ImportFailedError) as caught:
        await ongage.imports.run(HostedFile(f"{server.url}/gone.csv?key=planted"), interval_s=0.005)
    error = caught.value
    assert (error.status, error.report.import_id is not None) == (90001, True)
    assert "HTTP 404" in f"{error.job.status_info} {error}"
    assert "planted" not in f"{error!r} {error} {error.__notes__}"
    assert len(own_list.contacts) == 0
