"""The way of one call through Ownpage: the emulator's own, with tokens at the door and other errors at the exit."""

import logging
from typing import Any, cast

from attrs import define, field

from ongage_async.emulator._answers import Refusal, Reply
from ongage_async.emulator._app import App, Visit
from ongage_async.emulator._limits import Gate
from ongage_async.emulator._openapi import Vendor
from ongage_async.emulator._wire import parse_body, parse_query
from ongage_async.emulator.ownpage._files import FileEngine
from ongage_async.emulator.ownpage._office import TokenOffice
from ongage_async.emulator.ownpage._routes import OPEN_TO_ALL, Handler, OwnpageCall, json_reply
from ongage_async.emulator.ownpage._shapes import OWNPAGE
from ongage_async.emulator.ownpage._state import OwnpageState
from ongage_async.emulator.readings import Readings

__all__ = ["FormGate", "OwnpageApp"]

_log = logging.getLogger("ongage_async.emulator")


@define(eq=False)
class FormGate:
    """Keep the subscribe form from being flooded (vendor page §5 #9).

    Args:
        readings: Kind of window and the like.
        per_address: Calls in a minute from one address of the network; None for no limit.
        in_all: Calls in a minute from everywhere; None for no limit.
    """

    readings: Readings
    per_address: int | None = 5
    in_all: int | None = 10
    _gates: dict[str, Gate] = field(factory=dict, init=False)

    async def enter(self, address: str, now: float) -> Refusal | None:
        """Count a call, or deny it."""
        for name, calls in ((address, self.per_address), ("", self.in_all)):
            gate = self._gates.setdefault(name, Gate(self.readings))
            gate.calls, gate.parallel = calls, None
            if (denial := await gate.enter(now)) is not None:
                return denial
            gate.leave()
        return None


@define(eq=False, kw_only=True)
class OwnpageApp(App):
    """Serve Ownpage as an ASGI app.

    Args:
        state: What the account holds.
        office: Who may call.
        files: What imports files.
        form_gate: How often the form may be called.
    """

    state: OwnpageState
    office: TokenOffice
    files: FileEngine
    form_gate: FormGate
    vendor: Vendor = OWNPAGE

    async def _admit(self, visit: Visit) -> None:
        now = self.world.clock.now()
        if visit.operation.startswith("form."):
            denial = await self.form_gate.enter(str((visit.scope.get("client") or ("",))[0]), now)
        else:
            if visit.operation not in OPEN_TO_ALL:
                visit.account = self.office.admit(visit.scope["headers"])
            denial = await self.gate.enter(now)
            visit.holds_place = denial is None
        if denial is not None:
            raise denial
        visit.fault = self.faults.at_server(visit.operation)

    async def _execute(self, visit: Visit, body: bytes) -> Reply:
        match = visit.match
        if match is None:
            return self._refused(Refusal(404, "Not found"))
        handler = cast("Handler", match.route.handler)
        try:
            document: Any = parse_body(body)
            query = parse_query(visit.scope)
            reply = await handler(OwnpageCall(self.state, self.office, self.files, match.parameters, query, document))
        except Refusal as refusal:
            return self._refused(refusal)
        except Exception:  # noqa: BLE001 - the vendor's own 500, and a traceback for us
            _log.exception("%s failed", visit.operation)
            return self._refused(Refusal(500, "Internal error"))
        visit.executed = True
        return reply

    def _refused(self, refusal: Refusal) -> Reply:
        reply = json_reply({"status": refusal.status, "cause": refusal.message}, refusal.status)
        return Reply(reply.status, reply.body, (*reply.headers, *refusal.headers))
