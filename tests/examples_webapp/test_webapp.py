"""The example application does what its pages say, against an emulator, in one process."""

import importlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import httpx
import pytest

from ongage_async.emulator import Emulator
from ongage_async.emulator.webhooks import webhook_body
from tests.integrations.apps import running, until

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
STAFF = {"X-Staff-Token": "staff"}


@pytest.fixture
def webapp(ongage_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """Import the app as a worker does, pointed to an emulator and a folder of its own."""
    known = ongage_emulator.credentials
    settings = {
        "ONGAGE_BASE_URL": ongage_emulator.url,
        "ONGAGE_USERNAME": known.username,
        "ONGAGE_PASSWORD": known.password,
        "ONGAGE_ACCOUNT_CODE": known.account_code,
        "ONGAGE_GOVERNOR": f"file://{tmp_path}/ongage.ledger",
        "WEBAPP_FOLDER": str(tmp_path),
        "WEBAPP_MAX_WAIT_S": "1",
        "WEBAPP_STAFF_TOKEN": "staff",
        "WEBAPP_WEBHOOK_SECRET": "s3cret",
        "WEBAPP_PUBLIC_URL": "https://app.example.com",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "webapp"]:
        monkeypatch.delitem(sys.modules, name)
    return importlib.import_module("webapp.app")


@pytest.fixture
async def visitor(webapp: ModuleType, anyio_backend: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with running(webapp.app) as visitor:
        yield visitor


async def test_visitors_who_sign_up_together_share_a_call(visitor: httpx.AsyncClient, ongage_emulator: Emulator):
    outcomes: list[str] = []

    async def sign_up(email: str) -> None:
        answer = await visitor.post("/signups", json={"email": email, "first_name": "Ada"})
        outcomes.append(answer.json().get("outcome", answer.status_code))

    async with anyio.create_task_group() as visitors:
        for email in ("ada@example.com", "alan@example.com", "no address"):
            visitors.start_soon(sign_up, email)
    assert sorted(map(str, outcomes)) == ["422", "created", "created"]
    assert ongage_emulator.state.default_list.contact("ada@example.com")["first_name"] == "Ada"
    assert ongage_emulator.witness.count("contacts.create") <= 3


async def test_a_busy_account_asks_visitors_to_come_again(visitor: httpx.AsyncClient, webapp: ModuleType):
    await webapp.ongage.client.governor.pause(30.0)
    answer = await visitor.post("/signups", json={"email": "ada@example.com"})
    assert answer.status_code == 503
    assert 29 <= int(answer.headers["retry-after"]) <= 31


async def test_a_receipt_is_sent_once_per_order(visitor: httpx.AsyncClient, ongage_emulator: Emulator):
    order = {"number": "17", "email": "ada@example.com", "total": "3 EUR"}
    assert (await visitor.post("/receipts", json=order)).status_code == 422
    assert (await visitor.post("/receipts", json=order, headers={"X-Staff-Token": ""})).status_code == 403
    answers = [await visitor.post("/receipts", json=order, headers=STAFF) for _ in range(3)]
    assert {(answer.status_code, answer.json()["status"]) for answer in answers} == {(200, "sent")}
    sent = ongage_emulator.state.messages.outbox
    assert [(each.recipient, each.subject) for each in sent] == [("ada@example.com", "Your order 17")]
    receipt = answers[0].json()["receipt"]
    assert (await visitor.get(f"/receipts/{receipt}")).json() == {"receipt": receipt, "status": "sent"}
    assert (await visitor.get("/receipts/nothing")).status_code == 404


async def test_a_receipt_of_a_paused_account_is_kept(
    visitor: httpx.AsyncClient, webapp: ModuleType, ongage_emulator: Emulator
):
    await webapp.ongage.client.governor.pause(60.0)
    order = {"number": "18", "email": "ada@example.com", "total": "3 EUR"}
    queued = await visitor.post("/receipts", json=order, headers=STAFF)
    assert (queued.status_code, queued.json()["status"]) == (202, "queued")
    await webapp.ongage.client.governor.resume()

    async def is_sent() -> bool:
        return (await visitor.get(queued.headers["location"])).json()["status"] == "sent"

    await until(is_sent)
    assert len(ongage_emulator.state.messages.outbox) == 1


async def test_the_webhook_unsubscribes_once_however_often_it_is_delivered(
    visitor: httpx.AsyncClient, ongage_emulator: Emulator
):
    for email in ("ada@example.com", "alan@example.com", "edsger@example.com"):
        assert (await visitor.post("/signups", json={"email": email})).status_code == 200
    events = (
        ("ada@example.com", "hard"),
        ("alan@example.com", "complaint"),
        ("edsger@example.com", "soft"),
        (" ", "hard"),
    )
    body = webhook_body(*events, list_id=ongage_emulator.state.default_list.id)
    for _ in range(3):
        assert (await visitor.post("/ongage/webhook/s3cret", content=body)).status_code == 204
    contacts = ongage_emulator.state.default_list

    async def is_told() -> bool:
        return ongage_emulator.witness.count("contacts.change_status") > 0

    await until(is_told)
    await anyio.sleep(0.05)
    assert ongage_emulator.witness.count("contacts.change_status") == 1
    statuses = [contacts.contact(f"{name}@example.com")["ocx_status"] for name in ("ada", "alan", "edsger")]
    assert statuses[0] == statuses[1] != statuses[2]
    assert (await visitor.post("/ongage/webhook/guessed", content=body)).status_code == 404


async def test_who_left_one_list_is_unsubscribed_there(visitor: httpx.AsyncClient, ongage_emulator: Emulator):
    """An account has several lists; the vendor says which one it was."""
    assert (await visitor.post("/signups", json={"email": "ada@example.com"})).status_code == 200
    contacts = ongage_emulator.state.default_list
    before = contacts.contact("ada@example.com")["ocx_status"]
    body = webhook_body(("ada@example.com", "complaint"), list_id=contacts.id + 1)
    assert (await visitor.post("/ongage/webhook/s3cret", content=body)).status_code == 204

    async def is_told() -> bool:
        return ongage_emulator.witness.count("contacts.change_status") > 0

    await until(is_told)
    assert contacts.contact("ada@example.com")["ocx_status"] == before


@pytest.mark.parametrize("name", ["WEBAPP_STAFF_TOKEN", "WEBAPP_WEBHOOK_SECRET"])
def test_without_secrets_of_its_own_it_does_not_start(webapp: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str):
    """An empty one would let everybody in who sends an empty one."""
    for unset in ("", None):
        monkeypatch.delenv(name) if unset is None else monkeypatch.setenv(name, unset)
        with pytest.raises(ValueError, match=name):
            webapp.Settings.from_env()


async def test_the_nightly_file_is_loaded_by_staff_only(
    visitor: httpx.AsyncClient, webapp: ModuleType, ongage_emulator: Emulator, tmp_path: Path
):
    ongage_emulator.mount_fetch("https://app.example.com", webapp.app)
    ongage_emulator.imports.queued_s = ongage_emulator.imports.validating_s = ongage_emulator.imports.stats_s = 0.0
    await anyio.Path(tmp_path / "nightly.csv").write_text("email,first_name\nada@example.com,Ada\nno address,Bob\n")
    assert (await visitor.post("/loads", headers={"X-Staff-Token": "guessed"})).status_code == 403
    assert (await visitor.get("/loads", headers=STAFF)).status_code == 404
    assert (await visitor.post("/loads", headers=STAFF)).status_code == 202

    async def is_loaded() -> bool:
        return (await visitor.get("/loads", headers=STAFF)).status_code == 200

    await until(is_loaded)
    report = await visitor.get("/loads", headers=STAFF)
    assert (report.json()["rows_sent"], report.json()["adds_up"]) == (1, True)
    assert ongage_emulator.state.default_list.contact("ada@example.com")["first_name"] == "Ada"


async def test_the_form_and_the_budget_are_shown(visitor: httpx.AsyncClient):
    form = await visitor.get("/")
    assert 'name="email"' in form.text
    assert "Ongage budget" in (await visitor.get("/ongage/budget")).text
    assert (await visitor.get("/ongage/health")).json() == {"status": "ok"}
