"""``lists``, ``fields``, ``contacts``, ``export`` and ``report``: what they print, and what they did to the account."""

import csv
import json
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import anyio
import pytest

from ongage_async import ApiKey, OngageClient
from ongage_async.cli import _progress
from ongage_async.emulator import Emulator, Fault
from ongage_async.resources.criteria import field
from tests.cli.shell import COMMAND, Run

pytestmark = pytest.mark.usefixtures("account")


def test_lists_are_a_table_for_pipes_and_json_for_programs(ongage: Run, account: Emulator):
    head, row = ongage("lists").out.splitlines()
    assert head.split("\t") == ["id", "name", "type", "contacts", "active", "default", "created"]
    assert row.split("\t")[:3] == [str(account.default_list_id), "my sending list", "sending"]
    (told,) = json.loads(ongage("lists", "--json").out)
    assert list(told) == ["id", "name", "type", "last_count", "last_active_count", "default", "created"]
    assert ongage("lists", "--name-like", "nothing like it", "--json").out == "[]\n"


def test_one_list_is_shown_with_its_settings(ongage: Run, account: Emulator):
    number = str(account.default_list_id)
    assert f"id\t{number}\n" in ongage("lists", "get", number).out
    assert json.loads(ongage("lists", "get", number, "--json").out)["imports_concurrent_limit"] == 2
    absent = ongage("lists", "get", "5")
    assert (absent.code, absent.out, absent.err) == (1, "", "ongage: lists.get: List not found (HTTP 404).\n")


def test_fields_are_those_of_the_list_that_is_named(ongage: Run, account: Emulator):
    told = json.loads(ongage("fields", "--json").out)
    assert {"id", "name", "title", "type", "format", "mandatory", "default"} == set(told[0])
    assert [each["name"] for each in told][:2] == ["email", "name"]
    assert ongage("fields", "--list", "5").code == 1
    assert account.witness.count("list_fields.page") == 2


def test_a_contact_is_written_and_looked_up_by_address_and_by_id(ongage: Run, account: Emulator):
    assert ongage("contacts", "upsert", "ann@b.co", "first_name=Ann", "country=Chile").code == 0
    assert ongage("contacts", "upsert", "ann@b.co", "country=").code == 0
    told = json.loads(ongage("contacts", "get", "ann@b.co", "--json").out)
    assert (told["email"], told["fields"]["first_name"], told["fields"]["country"]) == ("ann@b.co", "Ann", None)
    assert json.loads(ongage("contacts", "get", told["id"], "--json").out) == told
    shown = ongage("contacts", "get", "ann@b.co").out.splitlines()
    assert "first_name\tAnn" in shown
    assert not any(line.startswith(("country", "fields")) for line in shown)


def test_a_file_of_contacts_is_written_and_its_bad_rows_are_told(ongage: Run, account: Emulator):
    words = (
        "contacts",
        "upsert",
        "--from",
        "c.csv",
        "--map",
        "E-Mail=email",
        "--map",
        "shoe=",
        "--side-file",
        "bad.jsonl",
    )
    told = ongage(*words, "--json")
    report = json.loads(told.out)
    assert (told.code, told.err) == (1, "")
    assert (report["rows_read"], report["counts"]["created"], report["counts"]["rejected"]) == (3, 2, 1)
    assert json.loads(Path("bad.jsonl").read_text())["contact"]["email"] == "nobody"
    assert sorted(each.email for each in account.state.default_list.contacts) == ["a@b.co", "c@d.co"]


def test_contacts_come_from_the_standard_input(environment: dict[str, str], account: Emulator):
    rows = "email,first_name\nann@b.co,Ann\n"
    ended = subprocess.run(
        [*COMMAND, "contacts", "upsert", "--from", "-"],
        input=rows,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert account.state.default_list.contact("ann@b.co")["first_name"] == "Ann"


@pytest.mark.parametrize("words", [(), ("a@b.co", "--from", "c.csv"), ("a@b.co", "country")], ids=str)
def test_an_upsert_of_nothing_or_of_two_things_is_refused(ongage: Run, account: Emulator, words: tuple[str, ...]):
    assert ongage("contacts", "upsert", *words).code == 2
    assert list(account.state.default_list.contacts) == []


def test_progress_that_is_piped_is_a_line_now_and_then(ongage: Run, account: Emulator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_progress, "EVERY_S", 0.01)
    account.latency = 0.05
    told = ongage("contacts", "upsert", "a@b.co")
    assert "1 rows read, none answered yet\n" in told.err
    assert "\x1b" not in told.err


def test_a_status_is_changed_by_address_and_by_file(ongage: Run, account: Emulator):
    for address in ("a@b.co", "c@d.co", "e@f.co"):
        ongage("contacts", "upsert", address)
    Path("gone.txt").write_text("c@d.co\n\nE@f.co\nc@d.co\n")
    assert ongage("contacts", "status", "unsubscribe", "a@b.co").code == 0
    told = ongage("contacts", "status", "unsubscribe", "--from", "gone.txt", "--json")
    assert json.loads(told.out)["rows_read"] == 2
    for address in ("a@b.co", "c@d.co", "e@f.co"):
        assert json.loads(ongage("contacts", "get", address, "--json").out)["status"] == "Unsubscribed"
    assert ongage("contacts", "status", "unsubscribe", "nobody@b.co").code == 1
    assert ongage("contacts", "status", "forget", "a@b.co").code == 2
    assert ongage("contacts", "status", "unsubscribe").code == 2


def test_addresses_are_found_in_a_table_by_the_name_of_their_column(ongage: Run, account: Emulator):
    ongage("contacts", "upsert", "a@b.co")
    Path("table.csv").write_text("name;E-Mail\nAnn;a@b.co\n")
    assert ongage("contacts", "status", "bounce", "--from", "table.csv").code == 0
    Path("table.csv").write_text("name;age\nAnn;3\n")
    wrong = ongage("contacts", "status", "bounce", "--from", "table.csv")
    assert (wrong.code, "names no email column" in wrong.err) == (2, True)
    absent = ongage("contacts", "status", "bounce", "--from", "absent.csv")
    assert (absent.code, absent.err) == (2, "ongage: absent.csv: No such file or directory.\n")


def test_contacts_are_not_deleted_for_good_where_nobody_can_be_asked(ongage: Run, account: Emulator):
    ongage("contacts", "upsert", "a@b.co")
    refused = ongage("contacts", "status", "remove", "a@b.co")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert len(list(account.state.default_list.contacts)) == 1
    assert ongage("contacts", "status", "remove", "a@b.co", "--yes").code == 0
    assert list(account.state.default_list.contacts) == []


def test_contacts_that_meet_conditions_are_exported_and_the_search_is_tidied_up(ongage: Run, account: Emulator):
    for address, country in (("a@b.co", "Chile"), ("c@d.co", "Peru"), ("e@f.co", "Norway")):
        ongage("contacts", "upsert", address, f"country={country}")
    told = ongage(
        "contacts", "export", "some.csv", "--where", "country=Chile|Peru", "--fields", "email,country", "--json"
    )
    rows = list(csv.reader(Path("some.csv").read_text().splitlines()))
    assert (told.code, sorted(rows)) == (0, [["a@b.co", "Chile"], ["c@d.co", "Peru"], ["email", "country"]])
    assert json.loads(told.out)["files"] == [{"path": "some.csv", "size_bytes": Path("some.csv").stat().st_size}]
    assert account.witness.count("contact_search.delete", executed=True) == 1
    lines = ongage("contacts", "export", "-", "--where", "country=Chile", "--fields", "email").out.splitlines()
    assert [json.loads(line)["email"] for line in lines] == ["a@b.co"]


def test_an_export_that_was_stopped_is_fetched_later(ongage: Run, account: Emulator, environment: dict[str, str]):
    ongage("contacts", "upsert", "a@b.co")
    account.state.audience.ready_s = 0.5
    command = [*COMMAND, "contacts", "export", "all.csv"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as run:
        while not account.witness.count("contact_search.get"):
            assert run.poll() is None
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        assert run.stderr is not None
        told = run.stderr.read()
        assert run.wait(10) == 130
    *_, again = told.strip().splitlines()
    assert again.startswith("  ongage contacts export all.csv --search ")
    assert ongage(*again.split()[1:]).code == 0
    assert Path("all.csv").read_text().startswith("email,")


def test_the_vendors_export_is_made_followed_and_unpacked(ongage: Run, account: Emulator):
    ongage("contacts", "upsert", "a@b.co", "country=Chile")
    segment = _segment(account)
    assert ongage("export", "run", "all.zip", "--segment", segment, "--fields", "email,country").code == 0
    with zipfile.ZipFile("all.zip") as archive:
        (name,) = archive.namelist()
        assert b"a@b.co" in archive.read(name)
    told = json.loads(ongage("export", "run", "folder", "--segment", segment, "--unzip", "--json").out)
    assert Path(told["files"][0]["path"]).parent == Path("folder")
    again = ongage("export", "download", str(told["export_id"]), "again.zip")
    assert (again.code, again.out.startswith("again.zip: ")) == (0, True)
    assert ongage("export", "download", "1", "never.zip").code == 1
    assert ongage("export", "run", "found.csv", "--where", "country=Chile").code == 0
    assert Path("found.csv").read_text().startswith("email,")
    assert ongage("export", "run", "x", "--where", "country=Chile", "--unzip").code == 2
    assert ongage("export", "run", "x.zip").code == 2
    assert ongage("export", "run", "x.zip", "--segment", segment, "--mailing", "1").code == 2


def _segment(account: Emulator) -> str:
    """Make a segment of everybody."""

    async def make() -> int:
        async with OngageClient(ApiKey(account.api_key), base_url=account.url) as client:
            return (await client.segments.create("Everybody", field("email").is_not_empty())).id

    return str(anyio.run(make))


def test_a_report_is_a_table_csv_or_json(ongage: Run, account: Emulator):
    answer = {"metadata": {"error": False}, "payload": [{"mailing_name": "July, 1st", "sent": "12"}]}
    account.faults.add("reports.query", Fault.garbage(json.dumps(answer).encode()))
    words = ("report", "mailing_name", "sum(sent)", "--group", "mailing_name", "--where", "sent>0", "--lists", "1,2")
    assert json.loads(ongage(*words, "--json").out) == [{"mailing_name": "July, 1st", "sent": 12}]
    assert ongage(*words, "--csv").out == 'mailing_name,sent\n"July, 1st",12\n'
    assert ongage(*words).out == "mailing_name\tsent\nJuly, 1st\t12\n"
    assert ongage("report").code == 2
    assert ongage("report", "sent", "--lists", "one").code == 2
