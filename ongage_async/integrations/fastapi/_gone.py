"""Stop working for a visitor who has left: an ASGI middleware that cancels the request when its client disconnects.

Servers only tell of a disconnect when they are asked, and apps seldom ask; so a request that waits for the account's
budget would go on waiting for nobody. Cancelling is safe everywhere in the library: a waiting call gives up its place
in the line, one that is out ends by itself, and its permit comes home when it has.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from attrs import define

__all__ = ["CancelWhenGone"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class CancelWhenGone:
    """Cancel the handling of a request whose client has disconnected: ``app.add_middleware(CancelWhenGone)``.

    What must be finished all the same goes into ``anyio.CancelScope(shield=True)``. Background tasks of a response that
    was sent are not cancelled. Put it nearest to the app: middleware inside it that reads requests ahead hides the
    disconnect.

    Args:
        app: The app.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            await _Exchange(receive, send).run(self._app, scope)
        else:
            await self._app(scope, receive, send)


@define(eq=False)
class _Exchange:
    """One request, whose client is watched until the answer is out."""

    receive: Receive
    send: Send
    answered: bool = False

    async def run(self, app: App, scope: MutableMapping[str, Any]) -> None:
        failure: Exception | None = None
        ahead, behind = anyio.create_memory_object_stream[Message](1)  # as far as the client is read ahead of the app

        async def read() -> Message:
            try:
                return await behind.receive()
            except anyio.EndOfStream:
                return {"type": "http.disconnect"}

        with behind:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, ahead, tasks.cancel_scope)
                try:
                    await app(scope, read, self._answer)
                except Exception as error:  # noqa: BLE001 - raised below as itself, not in a group
                    failure = error
                tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _watch(self, ahead: MemoryObjectSendStream[Message], scope: anyio.CancelScope) -> None:
        """Hand the request over as it comes, and cancel its handling when the client leaves before the answer."""
        with ahead:
            while (message := await self.receive())["type"] != "http.disconnect":
                await ahead.send(message)
        if not self.answered:
            scope.cancel()

    async def _answer(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.answered = True  # what follows is no longer the visitor's business
        await self.send(message)
