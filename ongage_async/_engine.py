"""The one loop in which a call happens: render, permit, send, give back, read, or wait and try again.

Rules come from `_wire` and `_retry`, the right to send from the governor, the sending from `_transport`. The send runs
in a task that the engine owns: a cancelled caller is free at once, the exchange ends in order, and its permit comes
home when it has. Nothing is held across a wait.
"""

import logging
import math
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import anyio
from attrs import define, field, frozen

from ongage_async import _wire
from ongage_async._call import BeforeSend, Call, Options, Pour
from ongage_async._explain import Explanation, Explanations
from ongage_async._operation import Answer, Operation
from ongage_async._tasks import Owned, Yard
from ongage_async.errors import (
    BudgetError,
    ConfigurationError,
    ConnectError,
    InvalidInputError,
    OngageError,
    RateLimitedError,
    ResponseTimeoutError,
    ServerError,
)
from ongage_async.events import AccountPaused, ForeignUseSeen, Listeners, listeners
from ongage_async.governor import End, Governor, Pause, Permit

if TYPE_CHECKING:
    from ongage_async._transport import Transport

__all__ = ["Bound", "Engine", "Options", "Pour"]

log = logging.getLogger("ongage_async.account")


@define(eq=False)
class Engine:
    """Make calls for everybody who shares one account in this client.

    Args:
        transport: What sends.
        governor: What allows.
        listener: Who is told; None for nobody yet.
        chance: Random numbers in [0, 1) for jitter.
        account: What tells the account from others; no secret.
        explanations: Where the time of the last calls went, if anybody wants to know; it listens too.
    """

    transport: "Transport"
    governor: Governor
    listener: Listeners = field(factory=Listeners, converter=listeners)
    chance: Callable[[], float] = random.random
    account: str = ""
    explanations: Explanations | None = None
    _paused_from: float = field(default=-math.inf, init=False)
    _paused_until: float = field(default=-math.inf, init=False)
    _yard: Yard = field(factory=Yard, init=False)
    _closed: bool = field(default=False, init=False)

    async def call(
        self,
        operation: Operation,
        options: Options,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        list_id: int | None = None,
        pour: Pour | None = None,
        before_send: BeforeSend | None = None,
    ) -> Answer:
        """Make one call; see `Caller.call` for its arguments.

        With `pour`, an answer that is a file goes there as it comes, in flat memory, and the payload is None; the
        permit is held until the last piece is taken, and `timeout_s` is the longest silence. `before_send` is awaited
        in each attempt between its permit and the wire: the moment to write down that it is going out.

        Raises:
            OngageError: The last error, as itself, with a note for each attempt.
        """
        if self._closed:
            raise ConfigurationError("this client is closed: make the call inside its `async with` block")
        list_id = options.list_id if list_id is None else list_id
        request = _wire.render(operation, path=path, query=query, body=body, list_id=list_id)
        lane = operation.lane if options.lane is None else options.lane
        call = Call(operation, options, lane, anyio.current_time(), self.listener, pour, before_send)
        call.tell_begin(request.template, self.transport.base_url)
        error: BaseException | None = None
        try:
            return await self._until_settled(call, request)
        except BaseException as caught:
            error = caught
            raise
        finally:
            if call.id:
                call.tell_end(error, self.explanations)

    def explain(self, call_id: str) -> Explanation:
        """Return where the time of a call went.

        Raises:
            ConfigurationError: No call is remembered.
            InvalidInputError: This one is not.
        """
        if self.explanations is None:
            raise ConfigurationError("no call is remembered: make the client with explain=1000, say")
        found = self.explanations.find(call_id)
        if found is None:
            kept = f"the last {self.explanations.most:,} and those under way"
            raise InvalidInputError(f"no call {call_id!r} is remembered among {kept}")
        return found

    async def aclose(self) -> None:
        """Refuse new calls, let the open ones end, and close our connections."""
        self._closed = True
        await self._yard.drain()
        await self.transport.aclose()

    # -- the loop -----------------------------------------------------------------------------------------------------

    async def _until_settled(self, call: Call, request: _wire.WireRequest) -> Answer:
        last: OngageError | None = None
        while True:
            permit = await self._permit(call, last)
            call.attempts += 1
            if call.id:
                call.tell_attempt(permit.queued_s, self._paused_s(call))
            try:
                return await self._attempt(call, request, permit)
            except OngageError as error:
                last = error
            call.history = call.history.after(last)
            wait_s = call.options.retry.wait_s(last, call.operation.repeat, call.history, self.chance())
            call.note(last, wait_s)
            await self._wait(call, last, wait_s)

    async def _permit(self, call: Call, last: OngageError | None) -> Permit:
        """Wait for a permit; where waiting does not fit, an earlier attempt's error is more telling than ours."""
        if call.id:
            call.asked_at = anyio.current_time()
            call.waits_for = self.governor.scarce(call.lane)
        try:
            return await self.governor.acquire(call.lane, max_wait_s=call.left_s(), tenant=call.options.tenant)
        except BudgetError as refusal:
            if last is None:
                raise call.dress(refusal) from None
            _set_retry_after(last, refusal.retry_after_s)
            raise call.dress(last) from None

    async def _wait(self, call: Call, last: OngageError, wait_s: float | None) -> None:
        left_s = call.left_s()
        if wait_s is None:
            raise call.dress(last) from None
        if left_s is not None and wait_s > left_s:
            _set_retry_after(last, wait_s)
            raise call.dress(last) from None
        if wait_s:
            if call.id:
                call.tell_back_off(last, wait_s)
            await anyio.sleep(wait_s)

    async def _attempt(self, call: Call, request: _wire.WireRequest, permit: Permit) -> Answer:
        """Send once, from a task of our own."""
        pipe = None if call.pour is None else _Pipe(call.options.timeout_s)
        exchange = self._yard.start(self._exchange, call, request, permit, pipe)
        error: BaseException | None = None
        status: int | None = None
        try:
            if pipe is not None and call.pour is not None:
                with pipe:
                    await call.pour(pipe)
            answer = await _within(exchange, call.options.timeout_s)
            status = answer.status
            return answer
        except BaseException as caught:
            error, status = caught, getattr(caught, "status", None)
            raise
        finally:
            if call.id:
                call.tell_attempt_end(permit.queued_s, status, error)

    async def _exchange(self, call: Call, request: _wire.WireRequest, permit: Permit, pipe: "_Pipe | None") -> Answer:
        """Send, read, and give the permit back whatever happens; runs to its end though nobody may wait any more."""
        end, retry_after_s, pause = End.UNCERTAIN, None, None
        try:
            if call.before_send is not None:
                end = End.UNSENT
                await call.before_send()
                end = End.UNCERTAIN
            response = await self.transport.send(request, call.options.timeout_s, pipe)
            end = End.ANSWERED
            if response.is_poured:
                return Answer(payload=None, status=response.status)
            return _wire.read(call.operation, response.status, response.headers, response.body)
        except RateLimitedError as error:
            end, retry_after_s = End.REFUSED, error.retry_after_s
            raise
        except ConnectError:
            end = End.UNSENT
            raise
        finally:
            if pipe is not None:
                pipe.end()
            pause = await permit.give_back(end, retry_after_s=retry_after_s)
            if pause is not None and pause.is_new:
                self._tell_pause(call, pause)

    # -- pauses -------------------------------------------------------------------------------------------------------

    def _tell_pause(self, call: Call, pause: Pause) -> None:
        now, pause_s = anyio.current_time(), max(0.0, pause.until - self.governor.now())
        self._paused_from, self._paused_until = now, now + pause_s
        extra = {**call.fields, "status": 429, "wait_s": pause_s, "strike": pause.strike}
        log.warning("the account is paused after a 429 (pause %d in a row)", pause.strike, extra=extra)
        self.listener(AccountPaused(pause_s, pause.strike, call.id))
        if pause.foreign_calls:
            self.listener(ForeignUseSeen(pause.foreign_calls, pause.calls))

    def _paused_s(self, call: Call) -> float:
        """Return for how much of the wait for its latest permit the account was paused, as far as this engine knows."""
        return max(0.0, min(anyio.current_time(), self._paused_until) - max(call.asked_at, self._paused_from))


@frozen
class Bound:
    """An engine with options: what a resource knows of both (`Caller`)."""

    engine: Engine
    options: Options

    @property
    def account(self) -> str:
        """What tells the account from others; no secret."""
        return self.engine.account

    @property
    def list_id(self) -> int | None:
        """The list of calls that name none; None means the account's default list."""
        return self.options.list_id

    @property
    def governor(self) -> Governor:
        """What allows the calls."""
        return self.engine.governor

    async def call(
        self,
        operation: Operation,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        list_id: int | None = None,
    ) -> Answer:
        """Make one call; see `Caller.call`."""
        return await self.engine.call(operation, self.options, path=path, query=query, body=body, list_id=list_id)

    async def stream(
        self,
        operation: Operation,
        pour: Pour,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> Answer:
        """Make one call whose answer is a file; see `Engine.call`."""
        return await self.engine.call(operation, self.options, path=path, query=query, list_id=list_id, pour=pour)


class _Pipe:
    """Carry a body from the exchange, which the engine owns, to the caller, who may leave at any time.

    It holds no piece: the exchange waits until the caller has taken one, so the caller's disk sets the pace.

    Args:
        timeout_s: The longest silence that the caller bears.
    """

    __slots__ = ("_receive", "_send", "_timeout_s")

    def __init__(self, timeout_s: float) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[bytes](0)
        self._timeout_s = timeout_s

    # -- the exchange's side --

    def takes(self, status: int, headers: Mapping[str, str], head: bytes) -> bool:
        """Take files; envelopes and error pages are read by the wire, whatever status they come with."""
        kind = headers.get("content-type", "").lower()
        is_envelope = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
        return 200 <= status < 300 and not is_envelope and "json" not in kind and "html" not in kind

    async def put(self, piece: bytes) -> bool:
        """Hand a piece over; false if the caller has left."""
        try:
            await self._send.send(piece)
        except anyio.BrokenResourceError:
            return False
        return True

    def end(self) -> None:
        """Say that nothing more comes."""
        self._send.close()

    # -- the caller's side --

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._receive.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        with anyio.move_on_after(self._timeout_s):
            try:
                return await self._receive.receive()
            except anyio.EndOfStream:
                raise StopAsyncIteration from None
        raise ResponseTimeoutError(f"the answer was silent for timeout_s={self._timeout_s:g}")


async def _within(exchange: Owned[Answer], timeout_s: float) -> Answer:
    """Wait for an exchange as long as the caller allows; it goes on by itself."""
    if await exchange.ends_within(timeout_s):
        return exchange.result()
    raise ResponseTimeoutError.after(timeout_s)


def _set_retry_after(error: OngageError, seconds: float) -> None:
    if isinstance(error, RateLimitedError | ServerError):
        error.retry_after_s = seconds
    error.add_note(f"waiting {seconds:.1f} s for the next attempt does not fit max_wait_s")
