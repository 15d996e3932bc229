"""From the list of an account to a class, and from the class to its contacts: over sockets, by the command and back."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from ongage_async import InvalidInputError, OngageClient
from ongage_async.cli._codegen import source_of
from ongage_async.emulator import Emulator
from ongage_async.models import RowKind
from tests.codegen import samples
from tests.support import client_of
from tests.typing.my_fields import MyContact

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
async def ongage(emulator: Emulator) -> AsyncIterator[OngageClient]:
    async with client_of(emulator) as client:
        yield client


@pytest.fixture
async def list_id(ongage: OngageClient) -> int:
    return (await ongage.lists.create("Mine", "sending", fields=samples.ORDINARY)).id


def environment(emulator: Emulator, **more: str) -> dict[str, str]:
    known = emulator.credentials
    outside = {name: value for name, value in os.environ.items() if not name.startswith("ONGAGE_")}
    return outside | {
        "ONGAGE_USERNAME": known.username,
        "ONGAGE_PASSWORD": known.password,
        "ONGAGE_ACCOUNT_CODE": known.account_code,
        "ONGAGE_BASE_URL": emulator.url,
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "ascii",  # a terminal that knows no é
        **more,
    }


def codegen(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from ongage_async.cli import main; main()", "codegen", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)


@pytest.mark.anyio
async def test_contacts_go_and_come_as_the_lists_own_class(ongage: OngageClient, emulator: Emulator, list_id: int):
    """What the server stored is what the class says, and what comes back is equal to what was sent."""
    ann = MyContact(email="ann@example.com", first_name="Ann", orders=3, class_="A")
    report = await ongage.contacts.create([ann], list_id=list_id)
    assert [row.kind for row in report] == [RowKind.CREATED]
    stored = next(each for each in emulator.state.live_lists() if each.id == list_id).contact("ann@example.com")
    assert stored is not None
    assert (stored["first_name"], stored["orders"], stored["class"]) == ("Ann", 3, "A")

    mine = await ongage.contacts.get_by_email("ann@example.com", as_=MyContact, list_id=list_id)
    assert mine == ann
    assert mine.contact is not None
    assert mine.contact.id is not None
    await ongage.contacts.update([attrs.evolve(mine, orders=4)], list_id=list_id)
    again = await ongage.contacts.get_by_id(mine.contact.id, as_=MyContact, list_id=list_id)
    assert (again.orders, again.first_name) == (4, "Ann")


@pytest.mark.anyio
async def test_nothing_is_sent_for_what_the_class_refuses(ongage: OngageClient, emulator: Emulator, list_id: int):
    before = len(emulator.witness)
    with pytest.raises(InvalidInputError, match="orders: a finite number"):
        await ongage.contacts.create([MyContact(email="ann@example.com", orders="3")], list_id=list_id)
    with pytest.raises(InvalidInputError, match="row 1: first_name is mandatory"):
        await ongage.contacts.create([MyContact(email="ann@example.com")], list_id=list_id)
    with pytest.raises(InvalidInputError, match="give a list of rows"):
        await ongage.contacts.create(MyContact(email="ann@example.com"), list_id=list_id)
    assert len(emulator.witness) == before


@pytest.mark.anyio
async def test_an_upsert_may_leave_out_what_a_new_contact_needs(ongage: OngageClient, list_id: int):
    await ongage.contacts.create([MyContact(email="ann@example.com", first_name="Ann")], list_id=list_id)
    report = await ongage.contacts.create(
        [MyContact(email="ann@example.com", orders=9)], overwrite=True, list_id=list_id
    )
    assert [row.kind for row in report] == [RowKind.UPDATED]
    mine = await ongage.contacts.get_by_email("ann@example.com", as_=MyContact, list_id=list_id)
    assert (mine.first_name, mine.orders) == ("Ann", 9)


def test_the_command_writes_what_the_list_of_the_account_has(emulator: Emulator, tmp_path: Path):
    """`ongage codegen --list N > my_fields.py`: exactly the class of the library, and Python imports it."""
    own = [{**each, "name": "prénom" if each["name"] == "first_name" else each["name"]} for each in samples.ORDINARY]

    async def prepare() -> tuple[int, list[Any]]:
        async with client_of(emulator) as client:
            made = await client.lists.create("Mine", "sending", fields=own)
            return made.id, [each async for each in client.list_fields.each(list_id=made.id)]

    list_id, list_fields = anyio.run(prepare)
    ended = codegen(environment(emulator), "--list", str(list_id), "--class", "Reader")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.decode("utf-8") == source_of(list_fields, class_name="Reader")
    (tmp_path / "reader_fields.py").write_bytes(ended.stdout)
    spec = importlib.util.spec_from_file_location("reader_fields", tmp_path / "reader_fields.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.Reader(email="ann@example.com", prénom="Ann").to_new_contact().fields == {"prénom": "Ann"}
    default = codegen(environment(emulator, ONGAGE_LIST_ID=str(list_id)))
    assert default.stdout == ended.stdout.replace(b"Reader", b"MyContact")


def test_a_failure_is_one_sentence_and_an_exit_code(emulator: Emulator):
    ended = codegen(environment(emulator), "--list", "999999")
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert ended.stderr.startswith(b"ongage: list_fields.page: ")
    assert ended.stderr.count(b"\n") == 1
    unset = codegen(environment(emulator, ONGAGE_USERNAME=""))
    assert (unset.returncode, unset.stdout) == (3, b"")
    assert b"ONGAGE_USERNAME" in unset.stderr
    assert codegen(environment(emulator), "--class", "my contact").returncode == 3


def test_the_command_shows_its_options():
    shown = codegen({**os.environ, "PYTHONPATH": str(ROOT)}, "--help")
    assert shown.returncode == 0
    assert b"--list" in shown.stdout
    assert b"--class" in shown.stdout
    assert shown.stderr == b""
