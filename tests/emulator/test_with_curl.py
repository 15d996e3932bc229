"""The requests that the vendors' own pages write down, sent by curl alone, and what comes back.

No code of this project takes part on the client's side, not even the choice of an HTTP library: what is asserted is
what anybody at a shell sees. The pages are the import, contacts and list methods, the API's questions and answers, and
Ownpage's import of subscribers.
"""

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
import time

import pytest

from ongage_async.emulator import Emulator, Fault
from ongage_async.emulator.ownpage import OwnpageEmulator

from .test_import_files import locked

CURL = shutil.which("curl")
LIST = 60299


@pytest.fixture(autouse=True)
def _has_curl():
    if CURL is None:
        message = "curl is not installed: the vendors' own requests are not tried"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


def run(url, *options, data=None, headers=None):
    """Run curl; return the status and the body, read as JSON where it is."""
    command = [CURL, "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--write-out", "\n%{http_code}"]
    for name, value in (headers or {}).items():
        command += ["--header", f"{name}: {value}"]
    if data is not None:
        command += ["--header", "Content-Type: application/json", "--data", json.dumps(data)]
    ended = subprocess.run([*command, *options, url], capture_output=True, text=True, timeout=30, check=True)
    body, _, status = ended.stdout.rpartition("\n")
    return int(status), json.loads(body) if body.startswith(("{", "[")) else body


class Shell:
    """Type requests at one emulator, with the three headers that the vendor's page asks for."""

    def __init__(self, emulator):
        self.emulator = emulator

    def __call__(self, request, data=None, **headers):
        method, path = request.split(" ")
        url = f"{self.emulator.url}/{path.lstrip('/')}"
        return run(
            url, "--request", method, "--globoff", data=data, headers=headers or self.emulator.credentials.headers()
        )

    def payload(self, request, data=None):
        status, document = self(request, data)
        assert (status, document["metadata"]["error"]) == (200, False), document
        return document["payload"]

    def refusal(self, request, data=None):
        status, document = self(request, data)
        assert document["metadata"]["error"] is True
        assert document["payload"]["code"] == status
        return status, document["payload"]["message"]


@pytest.fixture
def shell():
    with Emulator(rows_per_s=None) as emulator:
        emulator.imports.queued_s = emulator.imports.validating_s = emulator.imports.stats_s = 0.0
        yield Shell(emulator)


@pytest.fixture
def web(tmp_path):
    """Serve a directory, as the web server does from which the vendor fetches files."""
    log = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            log.append(words[1])

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=tmp_path))
    serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    serving.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}", log
    server.shutdown()
    serving.join()
    server.server_close()


def settled(shell, number):
    """Ask for an import until its status is final, as the vendor's page says to: 40003, or 90000 and above."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        shown = shell.payload(f"GET {LIST}/api/import/{number}")
        if int(shown["status"]) == 40003 or int(shown["status"]) >= 90000:
            return shown
    raise AssertionError(f"still {shown['status']}")


# --- the import methods


def test_an_import_into_a_sending_list_is_made_followed_and_listed(shell, web):
    """Put the file there, create, follow to 40003, delete the file; the log shows one download, the list its rows."""
    folder, url, log = web
    (folder / "k3Jf9sXq.csv").write_text("email,first_name\ntest@gmail.com,John\njohn@doe.com,Jane\nno address,x\n")
    made = shell.payload(f"POST {LIST}/api/import", {"file_url": f"{url}/k3Jf9sXq.csv", "csv_delimiter": ","})
    shown = settled(shell, made["id"])
    (folder / "k3Jf9sXq.csv").unlink()
    assert (shown["status"], shown["total"], shown["success"], shown["invalid"]) == (40003, "3", "2", "1")
    assert log == ["GET /k3Jf9sXq.csv HTTP/1.1"]
    assert shell.payload(f"GET {LIST}/api/contacts/by_email/test@gmail.com")["first_name"] == "John"
    (row,) = shell.payload(f"GET {LIST}/api/import")
    assert (row["id"], row["status"], row["status_desc"]) == (str(made["id"]), "40003", "Complete")


@pytest.mark.parametrize(
    ("action", "status"),
    [("unsubscribe", "Unsubscribed"), ("resubscribe", "Active"), ("bounce", "Bounced"), ("complaint", "Complaint")],
)
def test_an_import_changes_the_status_of_its_contacts(shell, web, action, status):
    """Each of the actions does to all rows of the file what its sentence on the page says."""
    folder, url, _ = web
    (folder / "a.csv").write_text("email;first_name\njohn@doe.com;John\n")
    shell.payload(f"POST {LIST}/api/v2/contacts", {"email": "john@doe.com"})
    body = {"file_url": f"{url}/a.csv", "csv_delimiter": ";", "import_action": action, "overwrite": True}
    assert settled(shell, shell.payload(f"POST {LIST}/api/import", body)["id"])["status"] == 40003
    assert shell.payload(f"GET {LIST}/api/contacts/by_email/john@doe.com")["ocx_status"] == status


def test_an_import_removes_contacts_for_good(shell, web):
    """The action `remove` is a hard delete."""
    folder, url, _ = web
    (folder / "a.csv").write_text("email\njohn@doe.com\n")
    shell.payload(f"POST {LIST}/api/v2/contacts", {"email": "john@doe.com"})
    body = {"file_url": f"{url}/a.csv", "csv_delimiter": ",", "import_action": "remove"}
    settled(shell, shell.payload(f"POST {LIST}/api/import", body)["id"])
    assert shell.refusal(f"GET {LIST}/api/contacts/by_email/john@doe.com") == (404, "Unauthorized / Email not found")


def test_an_import_into_a_suppression_list(shell, web):
    """The type of the list is named, and only a list of that type takes it."""
    folder, url, _ = web
    (folder / "a.csv").write_text("email\njohn@doe.com\n")
    made = shell.payload("POST api/lists", {"name": "suppression list test", "description": "", "type": "suppression"})
    body = {"file_url": f"{url}/a.csv", "csv_delimiter": ",", "import_type": "suppression", "import_action": "add"}
    number = shell.payload(f"POST {made['id']}/api/import", body)["id"]
    assert settled(shell, number)["success"] == "1"
    assert shell.refusal(f"POST {LIST}/api/import", body) == (500, "Validation error")


def test_a_zip_is_opened_with_the_accounts_password(shell, web):
    """The password stands in the account's settings and not in the call; without it the import is invalid."""
    folder, url, _ = web
    (folder / "a.zip").write_bytes(locked(b"email\njohn@doe.com\n", b"secret"))
    body = {"file_url": f"{url}/a.zip", "csv_delimiter": ","}
    assert settled(shell, shell.payload(f"POST {LIST}/api/import", body)["id"])["status"] == 90008
    shell.emulator.state.zip_password = "secret"
    assert settled(shell, shell.payload(f"POST {LIST}/api/import", body)["id"])["status"] == 40003


def test_an_import_that_is_not_there_or_makes_no_sense(shell):
    """The page's error codes: 404 with its own sentence, and 500 for values."""
    assert shell.refusal(f"GET {LIST}/api/import/1112223334") == (404, "Unauthorized / Import not found")
    assert shell.refusal(f"POST {LIST}/api/import", {"csv_delimiter": ","}) == (500, "Validation error")
    wrong = {"file_url": "https://my.domain.com/a.csv", "csv_delimiter": ",", "import_action": "destroy"}
    assert shell.refusal(f"POST {LIST}/api/import", wrong) == (500, "Validation error")


def test_a_file_that_cannot_be_fetched_is_the_imports_error(shell, web):
    """A presigned address that has expired answers 403 or 404, and the import ends at or above 90000."""
    body = {"file_url": f"{web[1]}/gone.csv?X-Amz-Signature=abc", "csv_delimiter": ","}
    assert settled(shell, shell.payload(f"POST {LIST}/api/import", body)["id"])["status"] == 90001


# --- questions and answers


def test_the_three_headers_open_the_door(shell):
    """All three are needed, in any case; the sentence of a refusal is in the envelope."""
    known = shell.emulator.credentials.headers()
    assert shell("GET api/lists", **known)[0] == 200
    assert shell("GET api/lists", **{name.lower(): value for name, value in known.items()})[0] == 200
    for name in known:
        status, document = shell("GET api/lists", **{each: value for each, value in known.items() if each != name})
        assert (status, document["metadata"]) == (401, {"error": True})


def test_an_account_without_api_access_is_forbidden(shell):
    """What the account's profile shows as "Disabled" is 403 here."""
    shell.emulator.api_enabled = False
    assert shell.refusal("GET api/lists") == (403, "Permission error")


def test_the_list_of_a_call_is_named_in_the_body_the_query_the_route_or_not_at_all(shell):
    """The page's own example: 3333 wins over 2222 and 1111, 2222 over 11111, and else it is the default list."""
    state = shell.emulator.state
    for number in (1111, 2222, 3333, 11111):
        state.add_list(f"list {number}", list_id=number)
    state.messages.add_email(7)
    mailing = {"name": "x", "email_message": [7]}
    path = "POST 1111/api/mailings?list_id=2222"
    assert shell.payload(path, {**mailing, "list_id": 3333})["list_id"] == "3333"
    assert shell.payload("POST 11111/api/mailings?list_id=2222", mailing)["list_id"] == "2222"
    assert shell.payload("POST api/mailings", {**mailing, "list_id": 1111})["list_id"] == "1111"
    assert shell.payload("POST 11111/api/mailings", mailing)["list_id"] == "11111"
    assert shell.payload("POST api/mailings", mailing)["list_id"] == str(LIST)
    assert [row["list_id"] for row in shell.payload("GET api/mailings/?list_id=1111")] == ["1111"]


def test_a_message_of_the_library_is_sent_and_counts_for_the_default_campaign(shell):
    """A send without a campaign counts for the list's own; status and suppression are ignored unless asked for."""
    store = shell.emulator.state.messages
    store.add_email(7, subject="Welcome")
    shell.payload("POST api/v2/contacts", [{"email": "john@doe.com"}, {"email": "jane@doe.com"}])
    shell.payload("POST api/v2/contacts/change_status", {"change_to": "unsubscribe", "emails": ["jane@doe.com"]})
    body = {"message_id": 7, "recipients": ["john@doe.com", "jane@doe.com"]}
    assert shell.payload("POST api/transactional/send", body) == {"success": 2, "failed": 0, "failed_emails": []}
    checked = shell.payload("POST api/transactional/send", {**body, "check_status": True})
    assert checked == {"success": 1, "failed": 1, "failed_emails": ["jane@doe.com"]}
    assert {sent.campaign_id for sent in store.outbox} == {12345}


def test_a_campaign_of_its_own_for_one_kind_of_message(shell):
    """Make a campaign, find it among the list's, and send a message under it that comes with the call."""
    made = shell.payload("POST api/transactional", {"name": "receipts", "description": "after a purchase"})
    assert [row["name"] for row in shell.payload("GET api/transactional")] == ["receipts"]
    message = {"subject": "Receipt", "content_html": "<p>Thank you</p>"}
    body = {"message": message, "recipients": ["john@doe.com"], "campaign_id": int(made["id"])}
    assert shell.payload("POST api/transactional/send_embed_content", body)["success"] == 1
    assert shell.emulator.state.messages.outbox[0].campaign_id == int(made["id"])
    older = {"email_message": message, "recipients": ["john@doe.com"]}
    assert shell.payload("POST api/notify_transactions", older) == {"mailing_id": 12345, "not_active": []}


def test_the_numbers_of_all_lists_come_in_one_report(shell):
    """`"list_ids": "all"` asks across the account."""
    state = shell.emulator.state
    other = state.add_list("other")
    rows = [{"list_id": LIST, "sent": 5}, {"list_id": other.id, "sent": 7}]
    state.messages.stats = [{**row, "stats_date": shell.emulator.app.world.clock.unix()} for row in rows]
    body = {"select": ["list_id", ["sum(`sent`)", "sent"]], "from": "mailing", "group": ["list_id"], "list_ids": "all"}
    assert shell.payload("POST api/reports/query", body) == [
        {"list_id": LIST, "sent": "5"},
        {"list_id": other.id, "sent": "7"},
    ]


@pytest.mark.parametrize("family", ["contact_search", "contact_activity"])
def test_a_search_by_another_field_than_the_address_is_asked_for_and_fetched_later(shell, family):
    """The asynchronous way: create, look until it is done, take the rows."""
    shell.emulator.state.audience.ready_s = 0.0
    shell.payload("POST api/v2/contacts", [{"email": "a@b.de", "country": "NY"}, {"email": "c@d.de", "country": "LA"}])
    rule = {"field_name": "country", "type": "string", "operator": "=", "operand": ["NY"]}
    body = {"title": "NY", "filters": {"criteria": [rule]}, "selected_fields": ["email"]}
    number = shell.payload(f"POST api/{family}", body)["id"]
    assert shell.payload(f"GET api/{family}/{number}")["status"] == 2
    assert shell.payload(f"GET api/{family}/{number}/result") == [{"email": "a@b.de"}]
    assert shell(f"GET api/{family}/{number}/export")[1].split() == ["email", "a@b.de"]


def test_a_call_too_many_is_denied_in_the_pages_own_words(shell):
    """The body of a 429, letter by letter."""
    shell.emulator.limits.calls = 1
    shell.payload("GET api/lists")
    assert shell("GET api/lists") == (
        429,
        {"metadata": {"error": True}, "payload": {"code": 429, "errors": [], "message": "Calls per minute exceeded"}},
    )


@pytest.mark.parametrize("status", [500, 503, 504])
def test_an_overload_of_a_moment_is_over_with_the_next_try(shell, status):
    """A server error is answered with its status, and the call that is repeated is served."""
    shell.emulator.faults.add("lists.page", Fault.status(status), times=1)
    assert shell("GET api/lists")[0] == status
    assert shell("GET api/lists")[0] == 200


def test_an_exception_is_written_like_the_pages_sample(shell):
    """The http form: type and links around the message."""
    status, document = shell("POST email-validation/api/v1/realtime-validation", {"email": ""})
    assert (status, document) == (
        400,
        {
            "metadata": {"error": True, "type": "http"},
            "links": [],
            "payload": {"message": "Please insert a valid Email address", "code": 400},
        },
    )


# --- contacts


def test_a_contact_is_made_by_each_of_the_three_calls_and_read_by_both(shell):
    """By POST with fields, by POST with the values beside the address, and by the GET that tunnels."""
    samples = [
        {"email": "john@doe.com", "overwrite": True, "fields": {"name": "John Doe", "country": "Chile"}},
        {"email": "jane@doe.com", "name": "John Doe", "country": "Chile"},
    ]
    for sample in samples:
        assert shell.payload(f"POST {LIST}/api/v2/contacts/", sample)["created"] == 1
    assert shell.payload("GET api/contacts/add?email=jim@doe.com&name=John%20Doe&country=Chile")["created"] == 1
    for email in ("john@doe.com", "jane@doe.com", "jim@doe.com"):
        contact = shell.payload(f"GET {LIST}/api/contacts/by_email/{email.replace('@', '%40')}")
        assert (contact["name"], contact["country"], contact["ocx_status"]) == ("John Doe", "Chile", "Active")
        assert contact["ocx_unsubscribe_date"] is contact["ip"] is None
        assert shell.payload(f"GET {LIST}/api/contacts/by_id/{contact['id']}") == contact


def test_several_contacts_are_made_and_changed_in_one_call(shell):
    """POST with overwrite makes or changes; PUT changes those that are there and adds nobody."""
    sample = {"email": "john@doe.com", "overwrite": True, "fields": {"name": "John Doe", "country": "Chile"}}
    made = shell.payload(f"POST {LIST}/api/v2/contacts", [sample, {**sample, "email": "jane@doe.com"}])
    assert (made["rows"], made["success"], made["created"], made["updated_emails"]) == (2, 2, 2, [])
    changed = {"email": "john@doe.com", "overwrite": True, "fields": {"country": "Peru"}}
    result = shell.payload(f"PUT {LIST}/api/v2/contacts/", [changed, {**changed, "email": "nobody@doe.com"}])
    assert (result["updated"], result["failed"], result["created"]) == (1, 1, 0)
    assert shell.payload("GET api/contacts/by_email/john@doe.com")["country"] == "Peru"


@pytest.mark.parametrize(
    ("change_to", "status"),
    [
        ("unsubscribe", "Unsubscribed"),
        ("bounce", "Bounced"),
        ("complaint", "Complaint"),
        ("soft_bounce", "Active"),
        ("resubscribe", "Active"),
    ],
)
def test_a_status_is_changed_in_each_way(shell, change_to, status):
    """The page's call for an unsubscription, with the campaign that it is counted for, and its other words."""
    shell.payload("POST api/v2/contacts", {"email": "john@doe.com"})
    body = {"list_id": LIST, "change_to": change_to, "emails": ["john@doe.com"], "ocx_child_id": 5}
    assert shell.payload(f"POST {LIST}/api/v2/contacts/change_status", body)["success"] == 1
    assert shell.payload("GET api/contacts/by_email/john@doe.com")["ocx_status"] == status


def test_contacts_are_removed_by_the_pages_example(shell):
    """The three addresses of the example; only two of them are there."""
    emails = ["email1@gmail.com", "email2@gmail.com", "email3@gmail.com"]
    shell.payload("POST api/v2/contacts", [{"email": email} for email in emails[:2]])
    result = shell.payload("POST api/v2/contacts/change_status", {"change_to": "remove", "emails": emails})
    assert (result["rows"], result["success"], result["failed"]) == (3, 2, 1)
    assert list(result["failed_emails"]) == emails[2:]
    assert shell.refusal("POST api/v2/contacts/change_status", {"change_to": "forget", "emails": emails})[0] == 412


def test_an_address_is_changed_once_in_a_quarter_of_an_hour(shell):
    """john@doe.com becomes john@doe.org, and may not become another one at once."""
    shell.payload("POST api/v2/contacts", {"email": "john@doe.com"})
    body = {"email": "john@doe.com", "new_email": "john@doe.org"}
    moved = shell.payload(f"PUT {LIST}/api/contacts/change_email", body)
    contact = shell.payload("GET api/contacts/by_email/john@doe.org")
    assert moved["success_emails"] == {"john@doe.com": contact["id"]}
    again = {"email": "john@doe.org", "new_email": "john@doe.net"}
    assert shell.refusal("PUT api/contacts/change_email", again)[0] == 412


def test_a_contact_is_deleted_by_its_id(shell):
    """A delete needs an id, finds the contact by it, and does not find it twice."""
    shell.payload("POST api/v2/contacts", {"email": "john@doe.com"})
    number = shell.payload("GET api/contacts/by_email/john@doe.com")["id"]
    path = f"POST {LIST}/api/contacts/delete"
    assert shell.refusal(path, {}) == (400, "Missing contact ID(s)")
    assert shell.payload(path, {"contact_id": number})["success"] == 1
    assert shell.refusal(path, {"contact_id": number})[0] == 412
    assert shell.refusal(f"GET api/contacts/by_id/{number}") == (404, "Unauthorized / Contact not found")


def test_a_contact_is_looked_up_in_all_lists(shell):
    """Across the account, with the numbers of what was sent to it where they are asked for."""
    other = shell.emulator.state.add_list("other")
    for number in (LIST, other.id):
        shell.payload(f"POST {number}/api/v2/contacts", {"email": "example@example.com"})
    found = shell.payload("GET api/contacts/cross_account?email=example@example.com")
    assert [each["list_id"] for each in found] == [LIST, other.id]
    stats = shell.payload("GET api/contacts/cross_account?email=example@example.com&behavior=1")[0]
    assert (stats["opens"], stats["clicks"], stats["sent"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("data", "refused"), [("nonsense", 400), ({"email": "no address"}, 412), ({"email": "a@b.de", "list_id": 1}, 412)]
)
def test_contacts_that_make_no_sense_are_refused(shell, data, refused):
    """400 for what is no contact, 412 for values."""
    assert shell.refusal(f"POST {LIST}/api/v2/contacts", data)[0] == refused


def test_a_list_that_is_not_there(shell):
    """404, as the page of the contacts says."""
    assert shell.refusal("POST 4711/api/v2/contacts", {"email": "john@doe.com"}) == (404, "List not found")


# --- lists


def test_a_list_is_made_read_changed_copied_and_deleted(shell):
    """The page from top to bottom: a sending list with fields of its own, and what is done with it."""
    fields = [
        {"name": "email", "title": "email", "type": "email", "mandatory": True, "position": 0},
        {"name": "full_name", "title": "Full Name", "type": "string", "mandatory": False, "position": 1},
        {"name": "field3", "title": "field3", "type": "numeric", "mandatory": True, "position": 2},
    ]
    about = {"name": "my_list_name", "type": "sending", "description": "This is my list"}
    made = shell.payload("POST api/lists", {**about, "create_segment": True, "fields": fields})
    read = shell.payload(f"GET api/lists/{made['id']}")
    assert len(read) == 56  # the keys of the page's sample
    assert (read["name"], read["type"], read["last_count"], read["archive"]) == ("my_list_name", "sending", 0, False)
    assert (read["imports_concurrent_limit"], read["deleted"]) == (2, None)
    changes = {
        **about,
        "welcome_email_active": False,
        "unsubscribe_default_link": True,
        "unsubscribe_confirmation_html": "<p>Are you sure you wannt to unsubscribe?</p>",
        "unsubscribe_confirmation_button": "Unsubscribe",
        "unsubscribe_success_html": "<p>you have been successfully unsubscribe</p>",
        "frequency_active": True,
        "frequency_html": "<p>Choose how frequent would you like to receive our email</p>",
        "frequencies": [{"active": True, "title": "Twice a month", "value": "Frequency1"}],
    }
    changed = shell.payload(f"PUT api/lists/{made['id']}", changes)
    assert {key: changed[key] for key in changes} == changes
    order = {"create": True, "name": "copy", "description": "", "type": "sending", "default": False}
    copied = shell.payload(f"POST api/lists/{made['id']}/copy?", order)
    assert (copied["name"], copied["unsubscribe_confirmation_button"]) == ("copy", "Unsubscribe")
    shell.payload(f"DELETE api/lists/{made['id']}")
    assert shell.refusal(f"GET api/lists/{made['id']}") == (404, "List not found")


def test_a_list_without_fields_has_the_default_lists(shell):
    """The first example of the page: a name and a type are enough."""
    made = shell.payload("POST api/lists", {"name": "my_list_name", "type": "sending"})
    fields = [
        [field["name"] for field in shell.payload(f"GET {number}/api/list_fields")] for number in (made["id"], LIST)
    ]
    assert fields[0] == fields[1]


def test_lists_are_filtered_in_each_way(shell):
    """Every filter of the page, and the total beside the rows."""
    for kind in ("md5", "sha256", "sha512"):
        body = {"name": f"suppression {kind} hash", "description": "", "type": "suppression", "hash_type": kind}
        shell.payload("POST api/lists", {**body, "expiration_date": ""})
    status, document = shell("GET api/lists?type=sending")
    assert (status, document["metadata"]) == (200, {"error": False, "total": 1})
    assert document["payload"][0]["default"] is True
    for kind in ("md5", "sha256", "sha512"):
        (row,) = shell.payload(f"GET api/lists?type=suppression&hash_type={kind}")
        assert (row["name"], row["scope"]) == (f"suppression {kind} hash", "global")
    assert len(shell.payload("GET api/lists?name_like=hash&sort=name&order=DESC&offset=1&limit=1")) == 1
    assert len(shell.payload("GET api/lists?name=suppression%20md5%20hash")) == 1
    assert shell.payload("GET api/lists?scope=campaign") == []
    assert shell.payload("GET api/lists?archive=true") == []
    assert shell.payload("GET api/lists?deleted=true") == []


def test_a_suppression_list_of_one_list_names_it(shell):
    """A list-level suppression list says which sending list it is for, and is refused without."""
    body = {"name": "list level suppression", "description": "", "type": "suppression", "scope": "list"}
    assert shell.refusal("POST api/lists", {**body, "expiration_date": ""})[0] == 412
    made = shell.payload("POST api/lists", {**body, "suppress_in_lists": [LIST], "expiration_date": ""})
    assert made["scope"] == "list"


# --- Ownpage


def test_subscribers_are_imported_by_ownpages_own_command(web):
    """The command of the page with its token header; the answer has its keys, and the list has the file's rows."""
    folder, url, _ = web
    (folder / "export.csv").write_text("email,subscribed,guid,data_firstname\na@b.de,true,7,Ada\nc@d.de,false,8,Bob\n")
    with OwnpageEmulator() as emulator:
        emulator.files.queued_s = 0.0
        known = {"username": emulator.customer.username, "password": emulator.customer.api_key}
        token = run(f"{emulator.url}/token", "-X", "POST", data=known)[1]["token"]
        headers = {"X-Ownpage-Client-Token": token}
        data = {"email_list_id": 123, "url": f"{url}/export.csv"}
        status, made = run(f"{emulator.url}/files", "-X", "POST", data=data, headers=headers)
        counts = _counted(f"{emulator.url}/newsletters/lists/123/subscribers/count", headers)
        refused = run(f"{emulator.url}/files", "-X", "POST", data=data, headers={"X-Ownpage-Client-Token": "TOKEN"})
    assert (status, made["id"], made["name"], made["url"]) == (200, 12, "export.csv", f"{url}/export.csv")
    assert (made["mediatype"], made["subtype"], made["status"]) == ("text", "csv", "uploaded")
    assert made["email_list_id"] == 123
    assert made["size"] == (folder / "export.csv").stat().st_size
    assert (counts["subscribed"], counts["unsubscribed"], counts["cause"]["READER"]) == (1, 1, 1)
    assert refused == (401, {"status": 401, "cause": "Unauthorized"})


def _counted(url, headers):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        counts = run(url, headers=headers)[1]
        if counts["subscribed"] + counts["unsubscribed"] == 2:
            return counts
    raise AssertionError(counts)
