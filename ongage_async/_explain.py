"""Where the time of a call went: a ring of the last calls' timelines, and each as one sentence.

`Explanations` is a listener like any other, so the engine pays for it only if there is one. `OngageClient(explain=…)`
makes it; the client's `explain` and `explanations` read it.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

import anyio
from attrs import define, field, frozen

from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError, Outcome
from ongage_async.events import AccountPaused, AttemptBegan, AttemptEnded, BackOffBegan, CallBegan, CallEnded, Event

__all__ = ["Explanation", "Explanations", "Kind", "Step"]

Kind = Literal["permit", "pause", "wire", "back-off"]
"""What a call does: waits for its permit, waits for one while the account is paused, is at the vendor's, or waits after
a failure before it asks for the next permit."""


@frozen
class Step:
    """One stretch of a call's time.

    Attributes:
        kind: What it did.
        took_s: For how long.
        detail: What was scarce when it asked for a permit (``rate``, ``place``, ``turn``), as far as that is known; the
            number of a pause; the answer of an exchange; what it backed off from.
    """

    kind: Kind
    took_s: float
    detail: str


@frozen
class Explanation:
    """Where the time of one call went; `str` of it is a sentence.

    Attributes:
        call_id: Which call.
        operation: Dotted name.
        lane: The lane it took.
        elapsed_s: From its start to its end, or until now.
        steps: What it did, in order; together a little less than `elapsed_s`.
        attempts: How often it was sent.
        now: What it is doing; None when it is over.
        error: Name of the class of the error it ended with; ``Cancelled`` when its caller left; None when all is well.
        outcome: What is known of a call that failed.
    """

    call_id: str
    operation: str
    lane: Lane
    elapsed_s: float
    steps: tuple[Step, ...] = ()
    attempts: int = 0
    now: Kind | None = None
    error: str | None = None
    outcome: Outcome | None = None

    def spent_s(self, kind: Kind) -> float:
        """Return the seconds that went into one kind of steps."""
        return sum(step.took_s for step in self.steps if step.kind == kind)

    def __str__(self) -> str:
        parts = sorted((self.spent_s(kind), phrase(self)) for kind, phrase in _PHRASES.items())
        told = [f"{_seconds(spent_s)} {text}" for spent_s, text in reversed(parts) if text and spent_s >= _LEAST_S]
        if not self.attempts:
            told.append("never sent")
        return f"{self.operation} {self._verb()}" + (f": {', '.join(told)}" if told else "")

    def _verb(self) -> str:
        took = _seconds(self.elapsed_s)
        if self.now is not None:
            return f"is under way for {took}, now {_NOW[self.now]}"
        if self.error == "Cancelled":
            return f"was cancelled after {took}"
        return f"failed with {self.error} after {took}" if self.error else f"took {took}"


_LEAST_S = 0.0005
"""What is shorter is not worth a word."""

_NOW: dict[Kind, str] = {
    "permit": "waiting for a permit",
    "pause": "waiting for the end of a pause",
    "wire": "on the wire",
    "back-off": "in back-off",
}


_SCARCE = {"rate": "a token", "place": "a place", "turn": "its turn"}


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 0.1 else f"{value * 1000:.0f} ms"


def _permit(call: Explanation) -> str:
    waits = (step for step in call.steps if step.kind == "permit" and step.took_s >= _LEAST_S)
    scarce = dict.fromkeys(_SCARCE.get(step.detail, "a permit") for step in waits)
    return f"for {' and '.join(scarce)} on lane {call.lane.name}"


def _pause(call: Explanation) -> str:
    return f"in back-off after a 429 ({_each(step.detail for step in call.steps if step.kind == 'pause')})"


def _wire(call: Explanation) -> str:
    return f"on the wire in {call.attempts} attempt{'s' if call.attempts != 1 else ''}"


def _back_off(call: Explanation) -> str:
    return f"in back-off after {_each(step.detail for step in call.steps if step.kind == 'back-off')}"


_PHRASES: dict[Kind, Callable[[Explanation], str]] = {
    "permit": _permit,
    "pause": _pause,
    "wire": _wire,
    "back-off": _back_off,
}


def _each(details: Iterable[str]) -> str:
    """Name each detail once, with how often it was there."""
    return ", ".join(f"{count} × {detail}" if count > 1 else detail for detail, count in Counter(details).items())


@define(eq=False)
class _Timeline:
    """A call that is under way.

    Attributes:
        began_at: When.
        doing: What it does now.
        since: From when on.
        detail: As in `Step`.
        back_off_s: How long it is going to back off, if it does; then it waits for a permit.
    """

    call_id: str
    operation: str
    lane: Lane
    began_at: float
    doing: Kind
    since: float
    detail: str
    attempts: int = 0
    steps: list[Step] = field(factory=list)
    back_off_s: float = 0.0

    def going_on(self, now: float) -> list[Step]:
        """Return what it does now as steps: after a back-off it waits for a permit."""
        took_s = now - self.since
        if self.doing != "back-off" or took_s <= self.back_off_s:
            return [Step(self.doing, took_s, self.detail)]
        waits = Step("permit", took_s - self.back_off_s, "")
        return [Step("back-off", self.back_off_s, self.detail), waits]

    def seen(self, now: float) -> Explanation:
        """Return how it stands."""
        steps = (*self.steps, *self.going_on(now))
        doing = steps[-1].kind
        return Explanation(
            self.call_id, self.operation, self.lane, now - self.began_at, steps, self.attempts, now=doing
        )

    def ended(self, event: CallEnded, now: float) -> Explanation:
        """Return how it ended."""
        rest = [step for step in self.going_on(now) if step.took_s >= _LEAST_S]
        steps, told = (*self.steps, *rest), (event.error, event.outcome)
        return Explanation(self.call_id, self.operation, self.lane, event.elapsed_s, steps, event.attempts, None, *told)


@define(eq=False)
class Explanations:
    """Follow the calls that are under way, and remember the last ones that ended.

    Args:
        most: How many are remembered.
        clock: Seconds; the running event loop's time by default.
    """

    most: int
    clock: Callable[[], float] = anyio.current_time
    _open: dict[str, _Timeline] = field(factory=dict, init=False)
    _past: dict[str, Explanation] = field(factory=dict, init=False)
    _strike: int = field(default=0, init=False)

    @classmethod
    def of(cls, most: int) -> "Explanations | None":
        """Return a ring for so many calls; None for 0."""
        if most < 0:
            raise ConfigurationError(f"explain={most}: give how many calls are remembered, or 0 for none")
        return cls(most) if most else None

    def find(self, call_id: str) -> Explanation | None:
        """Return where the time of a call went so far, if it is remembered."""
        timeline = self._open.get(call_id)
        return self._past.get(call_id) if timeline is None else timeline.seen(self.clock())

    def all(self) -> list[Explanation]:
        """Return all that are remembered in the order of their ends, and then those that are under way."""
        now = self.clock()
        return [*self._past.values(), *(timeline.seen(now) for timeline in self._open.values())]

    # -- listening ----------------------------------------------------------------------------------------------------

    def __call__(self, event: Event) -> None:
        match event:
            case CallBegan():
                now = self.clock()
                told = event.call_id, event.operation, event.lane
                self._open[event.call_id] = _Timeline(*told, now, "permit", now, "")
            case AttemptBegan() | AttemptEnded() | BackOffBegan() if event.call_id in self._open:
                self._go_on(self._open[event.call_id], event)
            case CallEnded() if event.call_id in self._open:
                self._end(self._open.pop(event.call_id), event)
            case AccountPaused():
                self._strike = event.strike
            case _:
                pass

    def _go_on(self, timeline: _Timeline, event: AttemptBegan | AttemptEnded | BackOffBegan) -> None:
        now = self.clock()
        match event:
            case AttemptBegan():
                if timeline.doing == "back-off":
                    took_s = max(0.0, now - timeline.since - event.queued_s)
                    timeline.steps.append(Step("back-off", took_s, timeline.detail))
                if event.paused_s:
                    timeline.steps.append(Step("pause", event.paused_s, f"pause {self._strike}"))
                timeline.steps.append(Step("permit", event.queued_s - event.paused_s, event.waited_for or ""))
                timeline.doing, timeline.detail = "wire", f"attempt {event.attempt}"
                timeline.attempts = event.attempt
            case AttemptEnded():
                answer = event.error if event.status is None else f"HTTP {event.status}"
                timeline.steps.append(Step("wire", event.wire_s, answer or ""))
                timeline.doing, timeline.detail = "permit", ""
            case BackOffBegan():
                reason = timeline.steps[-1].detail if timeline.steps else event.error
                timeline.doing, timeline.detail, timeline.back_off_s = "back-off", reason, event.wait_s
        timeline.since = now

    def _end(self, timeline: _Timeline, event: CallEnded) -> None:
        self._past[event.call_id] = timeline.ended(event, self.clock())
        if len(self._past) > self.most:
            del self._past[next(iter(self._past))]
