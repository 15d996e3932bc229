"""The emulator by itself, asked by a plain HTTP client: what its own rules are, without ours."""

import asyncio
import csv
import io
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import httpx
import pytest

from ongage_async.emulator import Fault
from ongage_async.emulator.ownpage import OwnpageEmulator, OwnpageReadings


@pytest.fixture
def emulator() -> Iterator[OwnpageEmulator]:
    with OwnpageEmulator() as served:
        yield served


@pytest.fixture
def client(emulator: OwnpageEmulator) -> Iterator[httpx.Client]:
    headers = {"X-Ownpage-Client-Token": emulator.tokens.grant()}
    with httpx.Client(base_url=emulator.url, headers=headers, trust_env=False, verify=False) as made:
        yield made


def test_a_token_is_made_by_json_and_by_the_older_query(emulator: OwnpageEmulator):
    known = {"username": emulator.customer.username, "password": emulator.customer.api_key}
    with httpx.Client(base_url=emulator.url, trust_env=False, verify=False) as client:
        for answer in (client.post("/token", json=known), client.get("/token", params=known)):
            token = answer.json()["token"]
            assert client.get("/newsletters/lists", headers={"X-Ownpage-Client-Token": token}).status_code == 200
        assert client.post("/token", json={**known, "password": "x"}).json() == {"status": 401, "cause": "Unauthorized"}
        assert client.get("/newsletters/lists").status_code == 401


def test_a_token_grows_old(emulator: OwnpageEmulator, client: httpx.Client):
    assert client.get("/newsletters/lists").status_code == 200
    emulator.tokens.life_s = 0.0
    assert client.get("/newsletters/lists").status_code == 401


def test_a_status_that_is_unclear_leaves_the_known_and_subscribes_the_new(
    emulator: OwnpageEmulator, client: httpx.Client
):
    rows = [{"email": "known@doe.fr", "subscribed": False}]
    client.post("/newsletters/lists/123/subscribers", json=rows)
    rows = [{"email": "known@doe.fr", "subscribed": "perhaps"}, {"email": "new@doe.fr", "subscribed": "perhaps"}]
    answer = client.post("/newsletters/lists/123/subscribers", json=rows).json()
    assert (answer["nb_created"], answer["nb_subscribed"]) == (1, 1)
    known, new = (emulator.state.first_list.get(email) for email in ("known@doe.fr", "new@doe.fr"))
    assert known is not None
    assert new is not None
    assert (known.subscribed, known.unsubscribed_cause, new.subscribed) == (False, "READER", True)
    assert new.guid == "f0da2d9a2bd07c7fbe1a01ab2a6f9b23" or len(new.guid) == 32


def test_rows_that_come_twice_are_ignored_and_counted(client: httpx.Client):
    rows = [{"email": "a@doe.fr", "guid": "1"}, {"email": "A@doe.fr"}, {"email": "b@doe.fr", "guid": "1"}]
    answer = client.post("/newsletters/lists/123/subscribers", json=[*rows, {"email": "user1@"}]).json()
    assert (answer["unique_emails_count"], answer["duplicate_emails_count"], answer["duplicate_guid_count"]) == (
        1,
        1,
        1,
    )
    assert answer["errors"] == ["email is not valid user1@"]


def test_more_than_twenty_thousand_rows_are_refused(client: httpx.Client):
    answer = client.post("/newsletters/lists/123/subscribers", json=[{"email": "a@doe.fr"}] * 20_001)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)
    for body in ("[1]", "7", "{broken"):
        assert client.post("/newsletters/lists/123/subscribers", content=body).status_code == 400


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_file_is_really_fetched_and_applied(delimiter: str):
    async def app(scope, receive, send):
        text = io.StringIO()
        table = [["email", "subscribed", "data_x", "other"], ["a@doe.fr", "false", "1", "2"], ["b@doe.fr", "", "", ""]]
        csv.writer(text, delimiter=delimiter).writerows(table)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.getvalue().encode()})

    async def talk() -> OwnpageEmulator:
        inside = OwnpageEmulator()
        inside.mount_fetch("https://files.test", app)
        async with inside.http_client(headers={"x-ownpage-client-token": inside.tokens.grant()}) as client:
            answer = await client.post("/files", json={"email_list_id": 123, "url": "https://files.test/a/b.csv?k=1"})
            assert (answer.json()["name"], answer.json()["status"]) == ("b.csv", "uploaded")
            assert (await client.post("/files", json={"email_list_id": 123, "url": "http://127.0.0.1:9/"})).is_error
            assert (await client.post("/files", json={"email_list_id": 9, "url": "https://files.test/"})).is_error
            async with asyncio.timeout(10):
                while len(inside.state.first_list.subscribers) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        return inside

    (first, second) = asyncio.run(talk()).state.first_list.subscribers.values()
    assert (first.subscribed, first.data, second.subscribed, second.data) == (False, {"data_x": "1"}, True, {})


def test_limits_faults_and_the_witness_are_the_others(emulator: OwnpageEmulator, client: httpx.Client):
    emulator.limits.calls = 2
    statuses = [client.get("/newsletters/lists").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    emulator.limits.calls = None
    emulator.faults.add("lists.page", Fault.status(503))
    assert client.get("/newsletters/lists").json() == {"status": 503, "cause": "Fault by script"}
    assert client.get("/nowhere").status_code == 404
    assert [call.operation for call in emulator.witness.calls][-2:] == ["lists.page", "unknown"]
    assert emulator.witness.calls[0].route == "/v1/newsletters/lists"


def test_the_form_is_limited_by_address_and_in_all(emulator: OwnpageEmulator, client: httpx.Client):
    body = {"email": "a@doe.fr", "form_key": emulator.customer.form_key}
    path = f"/subscribe/{emulator.customer.tracking_key}"
    statuses = [client.post(path, json=body).status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    emulator.form_limits.per_address = None
    statuses = [client.post(path, json=body).status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    assert client.get("/newsletters/lists").status_code == 200


def test_an_export_is_gone_after_a_day(emulator: OwnpageEmulator, client: httpx.Client):
    made = client.get("/newsletters/stats/export?startDate=2023-01-01&endDate=2023-01-31").json()
    path = f"/export/{made['token']}/{made['filename']}"
    assert client.get(path).headers["content-type"].startswith("text/csv")
    name, content, at = emulator.state.exports[made["token"]]
    emulator.state.exports[made["token"]] = (name, content, at - 24 * 3600 - 1)
    assert client.get(path).status_code == 404
    assert client.get("/newsletters/stats/export?startDate=x&endDate=y").status_code == 400
    assert client.get("/newsletters/events/nl_click/2023-1-1").status_code == 400


def test_it_shares_no_code_with_the_client():
    import ongage_async.emulator.ownpage as package

    for module in [name for name in sys.modules if name.startswith(package.__name__)]:
        for value in vars(sys.modules[module]).values():
            home = getattr(value, "__module__", "") or ""
            assert not home.startswith("ongage_async.") or home.startswith("ongage_async.emulator"), (module, value)


def test_it_starts_again_and_serves_until_a_signal():
    emulator = OwnpageEmulator(readings=OwnpageReadings())
    with emulator, pytest.raises(RuntimeError):
        emulator.start()
    with emulator:
        assert emulator.url.endswith("/v1")
    script = """
        from ongage_async.emulator.ownpage import OwnpageEmulator
        OwnpageEmulator().serve_forever(lambda url: print(url, flush=True))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/newsletters/lists").status_code == 401
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
