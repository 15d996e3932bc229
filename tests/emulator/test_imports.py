"""Imports: fetching, reading, applying, counting, and the way through the statuses."""

import anyio
import pytest

from ongage_async.emulator import Step

pytestmark = pytest.mark.anyio


def counters(shown):
    names = ("total", "success", "failed", "duplicate", "existing", "not_existing", "incomplete", "invalid")
    return {name: int(shown[name]) for name in names if shown[name] != "0"}


async def test_an_import_fetches_its_file_and_creates_contacts(account):
    shown = await account.run("email,name,product_id\njohn@doe.com,John,7\njane@doe.com,Jane,\n")
    assert (shown["status"], shown["status_desc"], shown["progress"]) == (40003, "Complete", "100")
    assert counters(shown) == {"total": 2, "success": 2}
    assert account.contact()["name"] == "John"
    assert account.contact()["product_id"] == 7
    assert account.contact()["ocx_import_id"] == shown["id"]
    assert account.drop.fetched == ["/file0.csv"]


async def test_a_single_import_mixes_numbers_and_texts(account):
    shown = await account.run("email\njohn@doe.com\n")
    kinds = {name: type(value) for name, value in shown.items()}
    numbers = {"id", "list_id", "status", "created", "modified"}
    assert {name for name, kind in kinds.items() if kind is int} == numbers
    assert {name for name, kind in kinds.items() if kind is bool} == {
        "is_override",
        "save_report",
        "send_welcome_message",
    }
    assert (shown["type"], shown["account_id"], shown["total"]) == ("import", "60306", "1")


async def test_a_collection_of_imports_is_all_text(account):
    await account.run("email\na@b.de\n")
    await account.run("email\nb@b.de\n")
    answer = (await account.client.get("/api/import?limit=500")).json()
    assert answer["metadata"]["total"] == 2
    assert {type(value) for row in answer["payload"] for value in row.values()} == {str, type(None)}
    assert [row["status"] for row in answer["payload"]] == ["40003", "40003"]
    assert answer["payload"][0]["type"] == "sending"


async def test_a_collection_of_one_may_be_an_object(account):
    account.emulator.readings.import_collection = "object"
    await account.run("email\na@b.de\n")
    assert (await account.client.get("/api/import")).json()["payload"]["status"] == "40003"


async def test_a_single_import_may_be_all_text(account):
    account.emulator.readings.import_single = "strings"
    number = (await account.create("email\na@b.de\n")).json()["payload"]["id"]
    await anyio.sleep(1)
    assert (await account.get(number))["status"] == "40003"


async def test_creating_may_answer_with_the_whole_import(account):
    account.emulator.readings.create_import_payload = "object"
    assert (await account.create("email\n")).json()["payload"]["status"] == 40001


async def statuses(account, number, count, every_s):
    seen = []
    for _ in range(count):
        shown = await account.get(number)
        if not seen or seen[-1] != shown["status"]:
            seen.append(shown["status"])
        await anyio.sleep(every_s)
    return seen


@pytest.mark.parametrize(
    ("reading", "end"),
    [("before", [40004, 40003]), ("after", [40003, 40004, 40003]), ("after_for_good", [40003, 40004])],
)
async def test_an_import_goes_through_the_statuses_by_the_clock(account, reading, end):
    account.emulator.readings.status_40004 = reading
    engine = account.emulator.imports
    engine.queued_s = engine.validating_s = engine.stats_s = 10.0
    engine.rows_per_s = 10.0
    rows = "\n".join(f"user{number}@doe.com" for number in range(100))
    number = (await account.create(f"email\n{rows}\n")).json()["payload"]["id"]
    assert await statuses(account, number, 60, 1.0) == [40001, 40010, 40002, *end]


async def test_progress_grows_with_the_rows(account):
    account.emulator.imports.rows_per_s = 10.0
    rows = "\n".join(f"user{number}@doe.com" for number in range(100))
    number = (await account.create(f"email\n{rows}\n")).json()["payload"]["id"]
    await anyio.sleep(5.1)
    shown = await account.get(number)
    assert shown["status_desc"] == f"Processing ({shown['progress']}%)"
    assert 45 <= int(shown["progress"]) <= 55


async def test_a_script_shows_one_status_a_look(account):
    account.emulator.imports.script = [40001, 40002, 40055, 90001]
    number = (await account.create()).json()["payload"]["id"]
    assert [(await account.get(number))["status"] for _ in range(5)] == [40001, 40002, 40055, 90001, 90001]
    assert account.drop.fetched == []


async def test_a_scripts_steps_may_last_and_carry_counters(account):
    account.emulator.imports.script = [
        Step(40002, for_s=10, progress=46),
        Step(40002, for_s=10, progress=90),
        Step(40003, counts={"total": 10, "success": 8, "duplicate": 2}),
    ]
    number = (await account.create()).json()["payload"]["id"]
    seen = []
    for _ in range(5):
        seen.append((await account.get(number))["progress"])
        await anyio.sleep(6)
    assert seen == ["46", "46", "90", "90", "0"]
    account.emulator.readings.counters = "sample"
    assert counters(await account.get(number)) == {"total": 10, "success": 8, "duplicate": 2}


async def test_an_import_may_vanish(account):
    shown = await account.run("email\na@b.de\n")
    account.emulator.state.imports.pop(shown["id"])
    answer = await account.client.get(f"/api/import/{shown['id']}")
    assert (answer.status_code, answer.json()["payload"]["message"]) == (404, "Unauthorized / Import not found")


ROWS = "email,name\nold@doe.com,New\nfresh@doe.com,Fresh\nfresh@doe.com,Twice\nnobody,X\n"


@pytest.mark.parametrize(
    ("body", "counts", "name"),
    [
        ({}, {"total": 4, "success": 1, "failed": 3, "duplicate": 1, "existing": 1, "invalid": 1}, "Old"),
        ({"overwrite": True}, {"total": 4, "success": 2, "failed": 2, "duplicate": 1, "invalid": 1}, "New"),
        ({"overwrite_only_nulls": True}, {"total": 4, "success": 2, "failed": 2, "duplicate": 1, "invalid": 1}, "Old"),
    ],
)
async def test_every_row_is_counted_once(account, body, counts, name):
    account.emulator.state.default_list.add_contact("old@doe.com", name="Old")
    assert counters(await account.run(ROWS, **body)) == counts
    assert account.contact("old@doe.com")["name"] == name
    assert account.contact("fresh@doe.com")["name"] == "Fresh"


async def test_failed_may_leave_the_duplicates_out(account):
    account.emulator.readings.counters = "sample"
    assert counters(await account.run(ROWS)) == {"total": 4, "success": 2, "failed": 1, "duplicate": 1, "invalid": 1}


@pytest.mark.parametrize(("ignore_empty", "name"), [(True, "Old"), (False, None)])
async def test_empty_cells_overwrite_unless_ignored(account, ignore_empty, name):
    account.emulator.state.default_list.add_contact("old@doe.com", name="Old")
    await account.run("email,name\nold@doe.com,\n", overwrite=True, ignore_empty=ignore_empty)
    assert account.contact("old@doe.com")["name"] == name


async def test_only_nulls_are_filled_under_that_flag(account):
    account.emulator.state.default_list.add_contact("old@doe.com", name="Old")
    await account.run("email,name,country\nold@doe.com,New,Chile\n", overwrite_only_nulls=True)
    assert (account.contact("old@doe.com")["name"], account.contact("old@doe.com")["country"]) == ("Old", "Chile")


async def test_rows_without_a_mandatory_value_are_incomplete(account):
    fields = {"name": "code", "type": "string", "mandatory": True}
    account.emulator.state.add_field(account.emulator.state.default_list, fields)
    shown = await account.run("email,code\na@b.de,\nb@b.de,x\n")
    assert counters(shown) == {"total": 2, "success": 1, "failed": 1, "incomplete": 1}


@pytest.mark.parametrize(
    ("action", "status"),
    [("unsubscribe", "Unsubscribed"), ("bounce", "Bounced"), ("complaint", "Complaint"), ("resubscribe", "Active")],
)
async def test_actions_change_the_status_of_those_who_exist(account, action, status):
    account.emulator.state.default_list.add_contact("john@doe.com")
    shown = await account.run("email\njohn@doe.com\nnone@doe.com\n", import_action=action)
    assert counters(shown) == {"total": 2, "success": 1, "failed": 1, "not_existing": 1}
    assert account.contact()["ocx_status"] == status
    assert account.contact("none@doe.com") is None


async def test_remove_deletes(account):
    account.emulator.state.default_list.add_contact("john@doe.com")
    await account.run("email\njohn@doe.com\n", import_action="remove")
    assert account.contact() is None


async def test_an_import_never_changes_a_status_by_adding(account):
    account.emulator.state.default_list.add_contact("john@doe.com")
    await account.run("email\njohn@doe.com\n", import_action="unsubscribe")
    await account.run("email,name\njohn@doe.com,John\n", overwrite=True)
    assert (account.contact()["name"], account.contact()["ocx_status"]) == ("John", "Unsubscribed")


@pytest.mark.parametrize(
    "body",
    [
        {"file_url": ""},
        {"file_url": "ftp://example.com/file.csv"},
        {"csv_delimiter": "x"},
        {"csv_delimiter": [","]},
        {"encoding": "utf-99"},
        {"import_action": "destroy"},
        {"import_type": "suppression"},
        {"fields": "email"},
    ],
)
async def test_an_import_that_makes_no_sense_is_a_500(account, body):
    answer = await account.create("email\n", **body)
    assert (answer.status_code, answer.json()["payload"]["message"]) == (500, "Validation error")
    assert list(answer.json()["payload"]["errors"]) == list(body)


async def test_unsubscribing_is_for_sending_lists_only(account):
    suppression = account.emulator.state.add_list("suppressed", type="suppression")
    answer = await account.create("email\n", list_id=suppression.id, import_action="unsubscribe")
    assert answer.status_code == 500
    assert (await account.run("email\njohn@doe.com\n", list_id=suppression.id))["success"] == "1"


async def test_imports_over_the_lists_limit_stay_queued(account):
    account.emulator.imports.rows_per_s = 1.0
    numbers = [(await account.create(f"email\na{n}@b.de\nb{n}@b.de\n")).json()["payload"]["id"] for n in range(3)]

    async def look():
        return [(await account.get(number))["status"] for number in numbers]

    await anyio.sleep(1.5)
    assert await look() == [40002, 40002, 40001]
    await anyio.sleep(1.5)
    assert await look() == [40003, 40003, 40002]
    await anyio.sleep(1.5)
    assert await look() == [40003, 40003, 40003]


async def test_a_large_import_does_not_hold_up_other_calls(account):
    rows = "\n".join(f"user{number}@doe.com,Name {number}" for number in range(20_000))
    number = (await account.create(f"email,name\n{rows}\n")).json()["payload"]["id"]
    looks = 0
    while (await account.get(number))["status"] != 40003:
        looks += 1
        await anyio.sleep(0.001)
    assert looks > 10
    assert len(account.emulator.state.default_list.contacts) == 20_000


def test_over_sockets_an_import_is_carried_out_though_nobody_polls(emulator, client, tmp_path):
    import functools
    import http.server
    import threading
    import time

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    (tmp_path / "contacts.csv").write_text("email\njohn@doe.com\n")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)) as files:
        thread = threading.Thread(target=files.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{files.server_address[1]}"
        client.post("/api/import", json={"file_url": f"{url}/contacts.csv"})
        gone = client.post("/api/import", json={"file_url": f"{url}/missing.csv"}).json()["payload"]["id"]
        jobs = emulator.state.imports
        for _ in range(200):
            if all(job.is_final for job in jobs.values()):
                break
            time.sleep(0.01)
        files.shutdown()
        thread.join()
    assert emulator.state.default_list.contact("john@doe.com") is not None
    assert client.get(f"/api/import/{gone}").json()["payload"]["status_info"].endswith("HTTP 404")


def test_a_host_that_is_not_there_is_an_error(emulator, client):
    import time

    number = client.post("/api/import", json={"file_url": "http://127.0.0.1:9/x.csv"}).json()["payload"]["id"]
    while not emulator.state.imports[number].is_final:
        time.sleep(0.01)
    assert emulator.state.imports[number].status_info == "File could not be downloaded: ConnectError"
