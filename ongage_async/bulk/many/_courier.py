"""Carry the rows of one call to the vendor and bring home what became of each, however often it takes to find out.

A call that is refused as a whole is cut in two until the bad rows are alone; rows of one address travel as one, and
part again if that one is refused; calls that share an address go one after the other. `_many.py` and `_coalesce.py`
fill the calls and tell the outcomes on; how one call is made is an argument.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import anyio
from attrs import define, field

from ongage_async.bulk.many._batches import BatchSize, SpareCalls, suspects
from ongage_async.bulk.many._cargo import Cargo, Settled
from ongage_async.errors import (
    APIError,
    AuthenticationError,
    BudgetError,
    ConfigurationError,
    NotFoundError,
    OngageError,
    Outcome,
    PermissionDeniedError,
    RateLimitedError,
    ResponseTimeoutError,
    ServerError,
)
from ongage_async.models import RowKind
from ongage_async.models.outcomes import Verdict

__all__ = ["Courier", "Order", "Send", "Turn"]

Send = Callable[[Cargo], Awaitable[Sequence[Verdict]]]
"""Makes one call and tells what became of each place of the cargo, in their order."""

_HOPELESS = (
    AuthenticationError,
    PermissionDeniedError,
    NotFoundError,
    RateLimitedError,
    BudgetError,
    ConfigurationError,
)
"""What the next call would meet as well, and what leaves the rows as they were."""
_TOO_LARGE = 413


@define(eq=False)
class Courier:
    """Deliver the entries of a call.

    Args:
        send: Makes one call.
        repeatable: Whether the call may be sent again when its outcome is not known.
        size: Told what was accepted and what was too much.
        spare: What cutting may cost.

    Attributes:
        calls: How many were made; the engine's own repeats are not counted.
        hopeless: The error after which nothing more is sent.
    """

    send: Send
    repeatable: bool
    size: BatchSize
    spare: SpareCalls
    calls: int = 0
    hopeless: OngageError | None = None

    async def deliver(self, cargo: Cargo) -> list[Settled]:
        """Send a cargo; return what became of all of it, whatever the vendor says."""
        if self.hopeless is not None:
            return [_unanswered(cargo, RowKind.NOT_SENT, self.hopeless)]
        self.calls += 1
        try:
            verdicts = await self.send(cargo)
        except OngageError as error:
            return await self._without_answer(cargo, error)
        self.spare.earn()
        self.size.accepted(len(cargo))
        return await self._answered(cargo, verdicts)

    async def _answered(self, cargo: Cargo, verdicts: Sequence[Verdict]) -> list[Settled]:
        """Take the answer; but rows that went as one and were rejected are sent again, each alone, in their order."""
        parting = [at for at in cargo.shared if verdicts[at][0] is RowKind.REJECTED and self._may_part(cargo, at)]
        if not parting:
            return [Settled(cargo, verdicts)]
        others = [at for at in range(len(cargo)) if at not in parting]
        settled = [Settled(cargo.part(others), [verdicts[at] for at in others])]
        for at in parting:
            settled += await self._one_by_one(cargo, at)
        return settled

    def _may_part(self, cargo: Cargo, at: int) -> bool:
        rows = len(cargo.places_at(at))
        return rows > 1 and self.spare.spend(rows)

    async def _one_by_one(self, cargo: Cargo, at: int) -> list[Settled]:
        return [settled for single in cargo.single(at) for settled in await self.deliver(single)]

    async def _without_answer(self, cargo: Cargo, error: OngageError) -> list[Settled]:
        if isinstance(error, _HOPELESS):
            self.hopeless = self.hopeless or error
            return [_unanswered(cargo, RowKind.NOT_SENT, error)]
        if self._is_refusal(error):
            return await self._refused(cargo, error)
        if isinstance(error, ResponseTimeoutError):
            self.size.too_much(len(cargo))
        kind = RowKind.NOT_SENT if error.outcome is Outcome.NOT_SENT else RowKind.UNKNOWN
        return [_unanswered(cargo, kind, error)]

    def _is_refusal(self, error: OngageError) -> bool:
        """Tell whether the vendor says no to the rows; status 500 with "validation" is one of its ways (§1.6)."""
        if isinstance(error, ServerError):
            return self.repeatable and error.is_refusal
        return isinstance(error, APIError) and error.outcome is Outcome.REJECTED

    async def _refused(self, cargo: Cargo, error: OngageError) -> list[Settled]:
        reason = _words(error)
        if len(cargo) == 1:
            if self._may_part(cargo, 0):
                return await self._one_by_one(cargo, 0)
            return [_rejected(cargo, reason)]
        if not self.spare.spend(2):
            return [_rejected(cargo, f"refused in one call with {len(cargo) - 1} others: {reason}")]
        settled: list[Settled] = []
        for part in _cut(len(cargo), suspects(getattr(error, "errors", None), len(cargo))):
            settled += await self.deliver(cargo.part(part))
        all_good = all(kind is not RowKind.REJECTED for each in settled for kind, *_ in each.verdicts)
        if all_good or getattr(error, "status", None) == _TOO_LARGE:
            self.size.too_much(len(cargo))
        return settled


def _rejected(cargo: Cargo, reason: str) -> Settled:
    return Settled(cargo, [(RowKind.REJECTED, None, reason)] * len(cargo))


def _unanswered(cargo: Cargo, kind: RowKind, error: OngageError) -> Settled:
    return Settled(cargo, [(kind, None, _words(error))] * len(cargo), error)


def _cut(size: int, blamed: frozenset[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Say which places go together when a call is cut: the blamed apart from the others, else two halves."""
    if blamed:
        return [at for at in range(size) if at not in blamed], sorted(blamed)
    return range(size // 2), range(size // 2, size)


def _words(error: OngageError) -> str:
    """Return the vendor's sentence and its details, without addresses; or our own sentence."""
    if not isinstance(error, APIError):
        return str(error)
    return ": ".join([error.message, *filter(None, ["; ".join(_details(error.errors))])])[:500]


def _details(errors: Any) -> list[str]:
    match errors:
        case str():
            return [errors]
        case Mapping():
            return [each for value in errors.values() for each in _details(value)]
        case list() | tuple():
            return [each for value in errors for each in _details(value)]
        case _:
            return []


# --- the order of calls that share an address -------------------------------------------------------------------------


@define(eq=False)
class Turn:
    """Hold the place of one call among those that share an address with it."""

    keys: AbstractSet[str]
    earlier: "tuple[Turn, ...]" = ()
    _over: anyio.Event = field(factory=anyio.Event)

    async def come(self) -> None:
        """Wait until all earlier calls with an address of this one are over."""
        for turn in self.earlier:
            await turn._over.wait()
        self.earlier = ()  # else each turn keeps all that ever went before it

    def is_over(self) -> None:
        """Let the later ones go."""
        self._over.set()


@define(eq=False)
class Order:
    """Give calls their turns, so that the last write to an address stays the last whatever goes on at the same time."""

    _open: dict[int, Turn] = field(factory=dict)

    def take(self, keys: AbstractSet[str]) -> Turn:
        """Return the turn of a call that writes to these addresses, behind all that were taken before."""
        turn = Turn(keys, tuple(other for other in self._open.values() if not keys.isdisjoint(other.keys)))
        self._open[id(turn)] = turn
        return turn

    def give_back(self, turn: Turn) -> None:
        """End a turn."""
        turn.is_over()
        self._open.pop(id(turn), None)
