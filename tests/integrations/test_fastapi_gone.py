"""A visitor who leaves leaves nothing behind: no place in the line, no open call, no permit."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any

import anyio
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request

from ongage_async import Limits, OngageClient
from ongage_async.emulator import Emulator
from ongage_async.integrations.fastapi import CancelWhenGone, Ongage
from tests.integrations.apps import running, until
from tests.support import client_of

pytestmark = pytest.mark.anyio

Message = MutableMapping[str, Any]


class Visit:
    """One request to an app, whose visitor may leave."""

    def __init__(self, app: Any, path: str, *pieces: bytes) -> None:
        self._app, self._path = app, path
        self._pieces = list(pieces) or [b""]
        self._left = anyio.Event()
        self.answer: list[Message] = []

    def leave(self) -> None:
        self._left.set()

    async def run(self) -> None:
        head = {"type": "http", "method": "POST", "path": self._path, "raw_path": self._path.encode()}
        more = {"query_string": b"", "headers": [(b"host", b"app")], "asgi": {"version": "3.0"}, "http_version": "1.1"}
        await self._app({**head, **more, "scheme": "http", "server": ("app", 80)}, self._receive, self._send)

    async def _receive(self) -> Message:
        if self._pieces:
            piece = self._pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.answer.append(message)

    @property
    def status(self) -> int | None:
        return self.answer[0]["status"] if self.answer else None

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.answer)


def app_of(ongage: Ongage) -> FastAPI:
    app = FastAPI(lifespan=ongage.lifespan)
    app.add_middleware(CancelWhenGone)
    ended: list[str] = []
    app.state.ended = ended

    @app.post("/lists")
    async def lists(client: Annotated[OngageClient, Depends(ongage)]) -> int | None:
        try:
            return (await client.lists.page()).total
        except BaseException as end:
            ended.append(type(end).__name__)
            raise

    return app


async def is_clean(client: OngageClient) -> None:
    """Wait until nothing is open and nobody waits; that must come by itself."""
    with anyio.fail_after(20.0):
        while True:
            seen = await client.governor.statistics()
            if (seen.open, seen.places_free, sum(seen.waiting.values())) == (0, seen.limits.parallel, 0):
                return
            await anyio.sleep(0.005)


async def visited(app: FastAPI, *, leaves_when: Callable[[], Awaitable[bool]]) -> Visit:
    """Pay a visit that ends when the visitor has left."""
    visit = Visit(app, "/lists")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(visit.run)
        await until(leaves_when)
        visit.leave()
    return visit


async def test_a_visitor_who_leaves_the_line_is_not_called_for(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator, limits=Limits(1, per_s=60.0)))
    app = app_of(ongage)
    async with running(app) as visitor:
        assert (await visitor.post("/lists")).status_code == 200

        async def waits() -> bool:
            return sum((await ongage.client.governor.statistics()).waiting.values()) == 1

        visit = await visited(app, leaves_when=waits)
        await is_clean(ongage.client)
    assert (visit.answer, len(app.state.ended)) == ([], 1)
    assert ongage_emulator.witness.count() == 1, "nothing was sent for who had left"


async def test_a_call_that_is_out_ends_by_itself_and_its_permit_comes_home(ongage_emulator: Emulator):
    ongage_emulator.latency = 1.0
    ongage = Ongage(lambda: client_of(ongage_emulator, limits=Limits(2, per_s=60.0, parallel=1)))
    app = app_of(ongage)
    async with running(app) as visitor:

        async def is_out() -> bool:
            return ongage_emulator.witness.count() == 1

        await visited(app, leaves_when=is_out)
        assert (await ongage.client.governor.statistics()).open == 1, "the vendor is still at it"
        await is_clean(ongage.client)
        assert (await ongage.client.governor.statistics()).tokens_free == 1
        ongage_emulator.latency = 0.0
        assert (await visitor.post("/lists")).status_code == 200
    assert ongage_emulator.witness.worst_open() == 1


async def test_a_visitor_may_leave_at_any_instant(ongage_emulator: Emulator):
    """The event loop is stopped at each of its first turns, from before the request is read until the answer."""
    ongage = Ongage(lambda: client_of(ongage_emulator))
    app = app_of(ongage)
    statuses = []
    async with running(app):
        for turns in range(60):
            visit = Visit(app, "/lists")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(visit.run)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                if turns % 10 == 9:
                    await anyio.sleep(0.001 * turns)
                visit.leave()
            await is_clean(ongage.client)
            statuses.append(visit.status)
    assert {None, 200} == set(statuses)
    assert ongage_emulator.witness.worst_open() == 1


async def test_whoever_stays_gets_the_answer_and_the_whole_body_is_read(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator))
    app = app_of(ongage)

    @app.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    pieces = [b"x" * 1000] * 50
    async with running(app) as visitor:
        visit = Visit(app, "/size", *pieces)
        await visit.run()
        assert (visit.status, visit.body) == (200, b"50000")
        assert (await visitor.post("/lists")).json() == 1
    assert app.state.ended == []


async def test_work_after_the_answer_goes_on_though_the_visitor_leaves():
    app = FastAPI()
    app.add_middleware(CancelWhenGone)
    done: list[str] = []
    visit = Visit(app, "/")

    async def later() -> None:
        visit.leave()
        await anyio.sleep(0.02)
        done.append("all of it")

    @app.post("/")
    async def answer(tasks: BackgroundTasks) -> None:
        tasks.add_task(later)

    await visit.run()
    assert (visit.status, done) == (200, ["all of it"])


async def test_an_error_of_the_app_is_raised_as_itself():
    app = FastAPI()
    app.add_middleware(CancelWhenGone)

    @app.post("/")
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Visit(app, "/").run()


async def test_other_connections_pass_untouched():
    seen: list[str] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await CancelWhenGone(app)({"type": "websocket"}, None, None)  # type: ignore[arg-type]  # passed on unseen
    assert seen == ["websocket"]
