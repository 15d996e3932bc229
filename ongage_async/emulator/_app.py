"""The ASGI app: the way of one call through the emulator, from its arrival to its departure.

Uplink, arrival (the witness writes), body, credentials, limits, faults, latency, execution, departure, downlink. What
an operation does is in `families/`; here is only the order of things. ``/openapi.json`` is no call: it is answered
before all of this, so that nobody's limits, faults or log know of it.
"""

import json
import logging
from collections.abc import Callable, MutableMapping
from typing import Any

import anyio
from attrs import define, field

from ongage_async.emulator._answers import Refusal, Reply, missing, refused, succeeded
from ongage_async.emulator._asgi import Receive, Scope, Send
from ongage_async.emulator._call import Call, World
from ongage_async.emulator._credentials import Doorkeeper
from ongage_async.emulator._limits import Gate
from ongage_async.emulator._openapi import ONGAGE, Vendor, document
from ongage_async.emulator._router import Match, Router
from ongage_async.emulator._wire import hang_up, parse_body, parse_query, raw_path, read_body, send_reply
from ongage_async.emulator._witness import Witness
from ongage_async.emulator.faults import Fault, Faults

__all__ = ["App", "Latency"]

Latency = float | Callable[[str], float]

_DOCUMENT_PATH = "/openapi.json"
_log = logging.getLogger("ongage_async.emulator")


@define(eq=False)
class Visit:
    """Follow one call from arrival to departure."""

    app: "App"
    scope: Scope
    match: Match | None
    operation: str
    ticket: int
    account: str = ""
    executed: bool = False
    fault: Fault | None = None
    uplink: Fault | None = None
    holds_place: bool = False
    departed: bool = False

    def depart(self, status: int) -> None:
        """Note the end of the call and give its place back, once."""
        if self.departed:
            return
        self.departed = True
        if self.holds_place:
            self.app.gate.leave()
        faults = [fault.name for fault in (self.uplink, self.fault) if fault is not None]
        self.app.witness.depart(
            self.ticket,
            self.app.world.clock.now(),
            status=status,
            account=self.account,
            executed=self.executed,
            fault=", ".join(faults),
        )


@define(eq=False)
class App:
    """Serve the API as an ASGI app.

    Args:
        world: What the operations act on.
        router: Which operations there are.
        doorkeeper: Who may call.
        gate: How much.
        faults: What goes wrong.
        witness: Who writes it all down.
        latency: Service time of a call in seconds: a number, or a function of the operation's name.
        vendor: What its document says of all calls.
    """

    world: World
    router: Router
    doorkeeper: Doorkeeper
    gate: Gate
    faults: Faults = field(factory=Faults)
    witness: Witness = field(factory=Witness)
    latency: Latency = 0.0
    vendor: Vendor = ONGAGE

    def document(self) -> dict[str, Any]:
        """Return the OpenAPI document of the routes that are served."""
        return document(self.vendor, self.router.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = raw_path(scope)
        match = self.router.match(scope["method"], path)
        if match is None and (scope["method"], path) == ("GET", _DOCUMENT_PATH):
            await read_body(receive)
            await send_reply(send, Reply(200, json.dumps(self.document()).encode()), None)
            return
        operation = "unknown" if match is None else match.route.operation
        uplink = self.faults.before_server(operation)
        if uplink is not None:
            await anyio.sleep(uplink.uplink_s)
        route = "?" if match is None else match.route.path
        ticket = self.witness.arrive(self.world.clock.now(), scope["method"], route, operation)
        visit = Visit(self, scope, match, operation, ticket, uplink=uplink)
        try:
            reply = await self._reply(visit, receive)
            await self._deliver(visit, reply, receive, send)
        finally:
            visit.depart(0)

    async def _reply(self, visit: Visit, receive: Receive) -> Reply | None:
        """Return what to send, or None to close the connection without a word."""
        body = await read_body(receive)
        if body is None:
            return None
        try:
            await self._admit(visit)
            return await self._work(visit, body)
        except Refusal as refusal:
            return self._refused(refusal)

    async def _admit(self, visit: Visit) -> None:
        visit.account = self.doorkeeper.admit(visit.scope["headers"])
        denial = await self.gate.enter(self.world.clock.now())
        if denial is not None:
            raise denial
        visit.holds_place = True
        visit.fault = self.faults.at_server(visit.operation)

    async def _work(self, visit: Visit, body: bytes) -> Reply | None:
        fault = visit.fault
        if fault is not None and not fault.after_execution:
            await anyio.sleep(fault.delay_s)
            if fault.drop_connection or fault.replace_status is not None:
                return self._faulty(fault)
        service_s = self.latency(visit.operation) if callable(self.latency) else self.latency
        if service_s > 0.0:
            await anyio.sleep(service_s)
        reply = await self._execute(visit, body)
        if fault is not None and fault.after_execution:
            await anyio.sleep(fault.delay_s)
            if fault.drop_connection or fault.replace_status is not None:
                return self._faulty(fault)
        return reply

    async def _execute(self, visit: Visit, body: bytes) -> Reply:
        match = visit.match
        if match is None:
            return self._refused(missing("The requested URL was not found on this server"))
        try:
            document = parse_body(body)
            call = Call(self.world, match.route, match.parameters, parse_query(visit.scope), document, match.list_id)
            reply = succeeded(match.route.handler(call))
        except Refusal as refusal:
            return self._refused(refusal)
        except Exception:  # noqa: BLE001 - the vendor's own 500, and a traceback for us
            _log.exception("%s failed", visit.operation)
            return self._refused(Refusal(500, "General error"))
        visit.executed = True
        return reply

    def _refused(self, refusal: Refusal) -> Reply:
        return refused(refusal, error_status_200=self.world.readings.error_status_200)

    def _faulty(self, fault: Fault) -> Reply | None:
        if fault.drop_connection or fault.replace_status is None:
            return None
        envelope = self._refused(Refusal(fault.replace_status, "Fault by script"))
        body = envelope.body if fault.body is None else fault.body
        return Reply(fault.replace_status, body, (*envelope.headers, *fault.headers))

    async def _deliver(self, visit: Visit, reply: Reply | None, receive: Receive, send: Send) -> None:
        if reply is None:
            visit.depart(0)
            await hang_up(receive, send)
            return
        fault = visit.fault
        if fault is not None and fault.drip_s:
            send = _Departing(visit, send, reply.status).send
        else:
            visit.depart(reply.status)  # before it is sent: the answer may cause the next arrival
        if fault is not None:
            await anyio.sleep(fault.downlink_s)
        await send_reply(send, reply, fault)
        if fault is not None and fault.cut_body:
            await hang_up(receive, send)


@define(eq=False)
class _Departing:
    """Let a dripping call depart just before its last piece is sent, not with the first."""

    visit: Visit
    forward: Send
    status: int

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.visit.depart(self.status)
        await self.forward(message)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
