"""The app: who waits goes first, what must not be lost is written down first, and nobody counts calls.

* A sign-up shares its call with the sign-ups of the same instant, on the URGENT lane.
* A receipt is kept in the outbox before it is sent, so that neither a paused account nor a killed worker loses it.
* The nightly load goes on the BULK lane, behind everybody, and goes on where it was stopped.
* What the vendor's webhook tells goes through the outbox too, once, however often it is delivered.

Each worker runs all of it; they share one ledger, one outbox and one folder.
"""

import hashlib
import hmac
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import anyio
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel

from ongage_async import EntryError, JobTimeoutError, Lane, OngageError, webhook
from ongage_async.bulk import Coalesced
from ongage_async.integrations.fastapi import CancelWhenGone, Ongage, handle_errors
from ongage_async.models import RowKind, WebhookStatus
from ongage_async.outbox import Outbox

from .settings import Settings

settings = Settings.from_env()
ongage = Ongage()
signups = ongage.coalesced(lane=Lane.URGENT, max_wait_s=settings.max_wait_s, max_delay_s=0.5)
log = logging.getLogger("webapp")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    outbox_url = f"sqlite://{settings.folder}/outbox.db"
    async with (
        ongage.lifespan(app),
        ongage.client.outbox(outbox_url) as app.state.outbox,
        anyio.create_task_group() as app.state.loads,
    ):
        yield
        app.state.loads.cancel_scope.cancel()


app = FastAPI(title="Webapp", lifespan=lifespan)
app.add_middleware(CancelWhenGone)
handle_errors(app)
app.include_router(ongage.routes("/ongage"))  # in production, behind the staff's login: dependencies=[Depends(...)]
drop = ongage.mount_drop(
    app, "/ongage-files", public_url=f"{settings.public_url}/ongage-files", folder=settings.folder / "files"
)


async def outbox_of(request: Request) -> Outbox:
    outbox: Outbox = request.app.state.outbox
    return outbox


async def staff(x_staff_token: Annotated[str, Header()]) -> None:
    if not hmac.compare_digest(x_staff_token.encode(), settings.staff_token.encode()):
        raise HTTPException(403, "for staff only")


Kept = Annotated[Outbox, Depends(outbox_of)]


# -- sign-ups -----------------------------------------------------------------------------------------------------


class SignUp(BaseModel):
    email: str
    first_name: str = ""


@app.get("/", include_in_schema=False)
async def form() -> FileResponse:
    return FileResponse(Path(__file__).with_name("signup.html"))


@app.post("/signups")
async def sign_up(person: SignUp, contacts: Annotated[Coalesced, Depends(signups)]) -> dict[str, str]:
    outcome = await contacts.upsert(person.model_dump())
    if outcome.kind is RowKind.REJECTED:
        raise HTTPException(422, "Please check the address.")
    return {"outcome": outcome.kind}


# -- receipts -----------------------------------------------------------------------------------------------------


class Order(BaseModel):
    number: str
    email: str
    total: str


@app.post("/receipts", dependencies=[Depends(staff)])  # else everybody could send mail in your name
async def send_receipt(order: Order, outbox: Kept) -> JSONResponse:
    """Send a receipt once per order and day: 200 when it is out, 202 when it will be."""
    receipt = await outbox.transactional.send_embed_content(
        order.email,
        subject=f"Your order {order.number}",
        content_text=f"Thank you! You paid {order.total}.",
        key=f"receipt of {order.number}",
        expires_in_s=86400.0,
    )
    try:
        await receipt.wait(timeout_s=settings.max_wait_s)
    except JobTimeoutError:
        return JSONResponse({"receipt": receipt.id, "status": "queued"}, 202, {"Location": f"/receipts/{receipt.id}"})
    return JSONResponse({"receipt": receipt.id, "status": "sent"})


@app.get("/receipts/{receipt}")
async def receipt_status(receipt: str, outbox: Kept) -> dict[str, str]:
    try:
        return {"receipt": receipt, "status": await (await outbox.get(receipt)).status()}
    except EntryError:
        raise HTTPException(404, "no such receipt") from None


# -- the nightly load ---------------------------------------------------------------------------------------------


@app.post("/loads", status_code=202, dependencies=[Depends(staff)])
async def start_load(request: Request) -> dict[str, str]:
    """Begin to load the nightly file, or go on with it; the report tells the end."""
    if not settings.nightly_file.exists():
        raise HTTPException(404, f"there is no {settings.nightly_file.name}")
    request.app.state.loads.start_soon(load)
    return {"report": "/loads"}


@app.get("/loads", dependencies=[Depends(staff)])
async def last_report() -> Response:
    if not settings.nightly_report.exists():
        raise HTTPException(404, "no load has ended yet")
    return FileResponse(settings.nightly_report, media_type="application/json")


async def load() -> None:
    nightly = ongage.client.with_options(lane=Lane.BULK)
    try:
        report = await nightly.imports.run(settings.nightly_file, stage=drop, journal=True)
    except OngageError as error:  # another worker is at it, or it failed: the next POST goes on
        log.warning("the nightly load has stopped: %s", error)
        return
    except Exception:
        log.exception("the nightly load has failed")
        return
    await anyio.Path(settings.nightly_report).write_text(report.as_json(), "utf-8")


# -- the vendor's webhook -----------------------------------------------------------------------------------------

STOP = (WebhookStatus.HARD_BOUNCE, WebhookStatus.UNSUBSCRIBE, WebhookStatus.COMPLAINT)


@app.post("/ongage/webhook/{secret}", status_code=204, include_in_schema=False)
async def receive(secret: str, request: Request, outbox: Kept) -> None:
    """Unsubscribe whoever bounced, left or complained; the answer says that it is written down."""
    if not hmac.compare_digest(secret.encode(), settings.webhook_secret.encode()):
        raise HTTPException(404)
    body = await request.body()
    delivery = f"webhook {hashlib.sha256(body).hexdigest()}"
    for list_id, emails in _leaving(webhook.parse(body)).items():
        for start in range(0, len(emails), 500):
            some, key = emails[start : start + 500], f"{delivery} {list_id} {start}"
            await outbox.contacts.change_status(some, "unsubscribe", list_id=list_id, key=key)


def _leaving(events: Iterable[webhook.WebhookEvent]) -> dict[int | None, list[str]]:
    """Sort who leaves by list. What is no address is left out: one that is refused would hold up all others."""
    found: defaultdict[int | None, set[str]] = defaultdict(set)
    for event in events:
        if event.status in STOP and event.email and "@" in event.email and event.email.isprintable():
            found[event.list_id].add(event.email)
    return {list_id: sorted(emails) for list_id, emails in found.items()}
