"""One connection that all commands of an event loop share: written in order, answered in the same order.

A pool lends each command a connection, and a command that is cancelled costs the connection. Here one task reads all
answers, so that a caller may leave at any instant, and its answer is heard all the same. asyncio only; `_redis_wire.py`
connects it and knows what the errors mean.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field

__all__ = ["Exchange", "Line"]


def _new_future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


@define(eq=False)
class Exchange:
    """A command under way.

    Attributes:
        heard: Called with the answer, whether or not somebody still waits for it; what it returns is the result.
        refused: Called with this and the error, when the answer is an error.
        done: What the caller waits for.
    """

    heard: Callable[[Any], Any]
    refused: Callable[["Exchange", Exception], None]
    done: "asyncio.Future[Any]" = field(factory=_new_future, init=False)

    def answer(self, raw: Any) -> None:
        """End with the server's answer."""
        try:
            result = self.heard(raw)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            self.fail(error)
        else:
            if not self.done.done():
                self.done.set_result(result)

    def fail(self, error: Exception) -> None:
        """End without an answer."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # seen: asyncio would complain if the caller left at this very instant


class Line:
    """A connection in use, until it is cut.

    Args:
        connection: One of redis-py's, connected, without a timeout of its own.
        refusal: What it raises when an answer is an error; the line goes on.
        answer_s: How long the server may take to answer.
    """

    def __init__(self, connection: Any, refusal: type[Exception], answer_s: float) -> None:
        self._connection, self._refusal, self._answer_s = connection, refusal, answer_s
        self._waiting: deque[tuple[float, Exchange]] = deque()
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.TimerHandle | None = None
        self.is_open = True
        self._reader = self._loop.create_task(self._read())

    def pack(self, *words: Any) -> bytes:
        """Return a command as it goes over the wire."""
        return b"".join(self._connection.pack_command(*words))

    async def send(self, command: bytes, exchange: Exchange) -> None:
        """Write a command; suspends only while the server does not read."""
        self._waiting.append((self._loop.time(), exchange))
        if self._watch is None:
            self._look_at_the_clock()
        try:
            await self._connection.send_packed_command(command, check_health=False)
        except Exception as error:  # noqa: BLE001 - told to all who wait, and so to this one
            self.cut(error)
        except BaseException:  # cancelled: nobody knows how much of the command was written
            self.cut(ConnectionError())
            raise

    def cut(self, error: Exception) -> None:
        """End the line, and with it all that wait for an answer."""
        self.is_open = False
        self._reader.cancel()
        if self._watch is not None:
            self._watch.cancel()
        while self._waiting:
            self._waiting.popleft()[1].fail(error)

    async def _read(self) -> None:
        try:
            while True:
                try:
                    raw = await self._connection.read_response()
                except self._refusal as refusal:
                    _, exchange = self._waiting.popleft()
                    exchange.refused(exchange, refusal)
                else:
                    self._waiting.popleft()[1].answer(raw)
        except Exception as error:  # noqa: BLE001 - told to all who wait
            self.cut(error)
        finally:
            await self._connection.disconnect(nowait=True)

    def _look_at_the_clock(self) -> None:
        """Cut the line if the oldest command waits for too long; one timer serves them all."""
        self._watch = None
        if self._waiting:
            due_at = self._waiting[0][0] + self._answer_s
            if due_at <= self._loop.time():
                self.cut(TimeoutError())
            else:
                self._watch = self._loop.call_at(due_at, self._look_at_the_clock)
