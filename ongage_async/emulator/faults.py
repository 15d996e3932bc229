"""Faults by script: what may go wrong with a call, which calls, and how often.

`Fault` is a value that says what happens; `Faults` holds the rules that say to whom. The app asks twice for each call:
for the network before the server (`uplink_s`), and for everything else once the call was admitted by the limits.

    emulator.faults.add("contacts.create", Fault.drop(after_execution=True), times=1)
    emulator.faults.add("imports.*", Fault.status(503), probability=0.1)
"""

import json
import random
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from attrs import define, field, frozen

__all__ = ["Fault", "FaultRule", "Faults"]


@frozen(kw_only=True)
class Fault:
    """Say what goes wrong with one call; several things may.

    The named constructors make the usual ones.

    Args:
        name: What the witness calls it.
        after_execution: Whether the call has its effect first. A delay, an error or a drop before means it has none,
            but for a delay, which is followed by the execution.
        uplink_s: The request is under way so long before the server sees and counts it.
        delay_s: The server takes so much longer; the call is open meanwhile.
        downlink_s: The answer is under way so long after the call has departed.
        replace_status: Answer with this status.
        body: Answer with this body; None means the vendor's envelope for that status.
        headers: More headers of the answer.
        drop_connection: Close the connection with no answer at all.
        cut_body: Close it in the middle of the body.
        drip_s: Send the body in small pieces with so much time between them.
        drip_bytes: Size of those pieces.
    """

    name: str = "fault"
    after_execution: bool = False
    uplink_s: float = 0.0
    delay_s: float = 0.0
    downlink_s: float = 0.0
    replace_status: int | None = None
    body: bytes | None = field(default=None, repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    drop_connection: bool = False
    cut_body: bool = False
    drip_s: float = 0.0
    drip_bytes: int = 16

    @classmethod
    def status(
        cls,
        status: int,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        after_execution: bool = False,
    ) -> "Fault":
        """Answer with a status.

        Args:
            status: HTTP status.
            body: Bytes or text as they are, anything else as JSON; None for the vendor's envelope.
            headers: More headers, such as ``Retry-After``.
            after_execution: Whether the call has its effect all the same.
        """
        raw = body.encode() if isinstance(body, str) else body
        pairs = tuple((name.lower().encode(), value.encode()) for name, value in (headers or {}).items())
        return cls(
            name=f"status {status}",
            replace_status=status,
            body=raw if raw is None or isinstance(raw, bytes) else json.dumps(raw).encode(),
            headers=pairs,
            after_execution=after_execution,
        )

    @classmethod
    def delay(cls, delay_s: float, *, after_execution: bool = False) -> "Fault":
        """Let the server take longer, before the call has its effect or after."""
        return cls(name="delay", delay_s=delay_s, after_execution=after_execution)

    @classmethod
    def slow_uplink(cls, uplink_s: float) -> "Fault":
        """Let the request travel longer: the server sees and counts it later."""
        return cls(name="slow uplink", uplink_s=uplink_s)

    @classmethod
    def slow_downlink(cls, downlink_s: float) -> "Fault":
        """Let the answer travel longer: the server is done with the call."""
        return cls(name="slow downlink", downlink_s=downlink_s, after_execution=True)

    @classmethod
    def drop(cls, *, after_execution: bool = False) -> "Fault":
        """Close the connection without an answer."""
        return cls(name="drop", drop_connection=True, after_execution=after_execution)

    @classmethod
    def half_body(cls) -> "Fault":
        """Carry out the call, and close the connection in the middle of the answer."""
        return cls(name="half body", cut_body=True, after_execution=True)

    @classmethod
    def garbage(cls, body: bytes = b"<html><h1>It works!</h1>\x00\xff", *, after_execution: bool = True) -> "Fault":
        """Answer 200 with what is no JSON."""
        return cls(name="garbage", replace_status=200, body=body, after_execution=after_execution)

    @classmethod
    def drip(cls, drip_s: float, drip_bytes: int = 16) -> "Fault":
        """Send the answer's body drop by drop."""
        return cls(name="drip", drip_s=drip_s, drip_bytes=drip_bytes, after_execution=True)


@define(eq=False)
class FaultRule:
    """Say which calls a fault befalls.

    Args:
        pattern: Operation name, or a shell pattern such as ``contacts.*``.
        fault: What happens.
        times: How often at most; None for ever.
        every: Only each so manieth matching call.
        probability: Only by chance, 0 to 1.
        skip: So many matching calls go free first.
    """

    pattern: str
    fault: Fault
    times: int | None = None
    every: int = 1
    probability: float = 1.0
    skip: int = 0
    seen: int = field(default=0, init=False)
    hits: int = field(default=0, init=False)

    def strikes(self, operation: str, rng: random.Random) -> bool:
        """Tell whether this call is hit, and count it."""
        if (self.times is not None and self.hits >= self.times) or not fnmatchcase(operation, self.pattern):
            return False
        self.seen += 1
        turn = self.seen - self.skip
        if turn <= 0 or turn % self.every or (self.probability < 1.0 and rng.random() >= self.probability):
            return False
        self.hits += 1
        return True


@define(eq=False)
class Faults:
    """Hold the rules; the first that strikes wins.

    Args:
        rng: Where chance comes from; seeded, so that a test repeats.
    """

    rng: random.Random = field(factory=lambda: random.Random(0))
    _before_server: list[FaultRule] = field(factory=list, init=False)
    _at_server: list[FaultRule] = field(factory=list, init=False)

    def add(
        self,
        pattern: str,
        fault: Fault,
        *,
        times: int | None = None,
        every: int = 1,
        probability: float = 1.0,
        skip: int = 0,
    ) -> FaultRule:
        """Add a rule; see `FaultRule` for its arguments. Returns it: ``hits`` counts."""
        rule = FaultRule(pattern, fault, times, every, probability, skip)
        (self._before_server if fault.uplink_s else self._at_server).append(rule)
        return rule

    def remove(self, rule: FaultRule) -> None:
        """Take a rule away."""
        for rules in (self._before_server, self._at_server):
            if rule in rules:
                rules.remove(rule)

    def clear(self) -> None:
        """Take all rules away."""
        self._before_server.clear()
        self._at_server.clear()

    def before_server(self, operation: str) -> Fault | None:
        """Return what befalls a call on its way to the server."""
        return self._first(self._before_server, operation)

    def at_server(self, operation: str) -> Fault | None:
        """Return what befalls a call that the limits let in."""
        return self._first(self._at_server, operation)

    def _first(self, rules: list[FaultRule], operation: str) -> Fault | None:
        return next((rule.fault for rule in rules if rule.strikes(operation, self.rng)), None)
