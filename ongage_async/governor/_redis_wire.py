"""How words reach a Redis or Valkey server, on either event loop; nothing here knows what they mean.

redis-py speaks asyncio only. Under trio its blocking client runs in worker threads: a hop of some hundred microseconds
a command, which is small beside a network. The only file that imports `redis`.
"""

import asyncio
import contextlib
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from ongage_async._tasks import Yard
from ongage_async.errors import ConfigurationError
from ongage_async.governor._ledger import LedgerLostError
from ongage_async.governor._redis_line import Exchange, Line

try:
    import redis
    import redis.asyncio
    import redis.asyncio.retry
    import redis.exceptions
    import redis.retry
    from redis.backoff import NoBackoff
except ImportError as error:
    raise ConfigurationError("a ledger at redis:// needs redis-py: pip install 'ongage-async[redis]'") from error

__all__ = ["Address", "Subscription", "Wire", "open_wire"]

T = TypeVar("T")

CONNECT_S, ANSWER_S = 2.0, 2.0
CONNECTIONS = 4
HEALTH_S = 30
LISTEN_S = 1.0
"""How long a thread listens before it looks whether it is still wanted."""

_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}


class Address:
    """Where the server is: shown as host and port, and never with what else is in the URL.

    Args:
        url: ``redis:// rediss:// valkey:// valkeys://``, with user, password, database number and redis-py's options.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        self._url = f"{_SCHEMES.get(scheme.lower(), '')}://{rest}"
        try:
            parts = urlsplit(self._url)
            self._shown = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
        except ValueError:
            raise ConfigurationError("the ledger's URL cannot be read: use redis://host:6379/0") from None
        if scheme.lower() not in _SCHEMES or (parts.path.strip("/") and not parts.path.strip("/").isdigit()):
            raise ConfigurationError(
                f"the ledger's URL for {self._shown} has an unknown scheme or a database that is no number: "
                "use redis://host:6379/0, or rediss:// with TLS"
            )

    def __repr__(self) -> str:
        return self._shown

    def pool(self, kind: Callable[..., Any], node: tuple[str, int] | None, **options: Any) -> Any:
        """Return a pool of connections of redis-py's, to `node` of a cluster if one is given."""
        options |= {"socket_connect_timeout": CONNECT_S, "socket_timeout": ANSWER_S, "socket_keepalive": True}
        options |= {"health_check_interval": HEALTH_S, "protocol": 2}
        try:
            pool = kind(self._url, **options)
        except (ValueError, TypeError):
            raise ConfigurationError(
                f"the ledger's URL for {self._shown} has an option that redis-py refuses"
            ) from None
        if node is not None:
            pool.connection_kwargs |= {"host": node[0], "port": node[1]}
        return pool

    def lost(self, error: Exception) -> LedgerLostError:
        """Say in one sentence, without a secret, why the server cannot be used."""
        for kind, why in _REASONS:
            if isinstance(error, kind):
                return LedgerLostError(f"the ledger at {self._shown} {why}")
        said = str(error).partition("with args")[0][:120]  # what follows repeats the command
        return LedgerLostError(f"the ledger at {self._shown} failed: {said}")


_REASONS: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], str]] = (
    (redis.AuthenticationError, "refused the user name or the password"),
    (redis.exceptions.AuthorizationError, "refused the user name or the password"),
    (redis.exceptions.NoPermissionError, "lets this user not run scripts, use its keys or its channels"),
    (redis.BusyLoadingError, "is still loading its data"),
    (redis.ReadOnlyError, "is a replica that only reads"),
    (redis.exceptions.OutOfMemoryError, "is out of memory"),
    (redis.exceptions.ClusterDownError, "belongs to a cluster that is down"),
    ((redis.TimeoutError, TimeoutError), f"did not answer within {ANSWER_S:g} s"),
    (redis.ConnectionError, "cannot be reached"),
    (OSError, "cannot be reached"),
)
_FAILURES = (redis.RedisError, OSError)

_INSIDE: Mapping[str, type[Exception]] = {
    "READONLY": redis.ReadOnlyError,
    "OOM": redis.exceptions.OutOfMemoryError,
}
"""What befalls a command inside the script. Redis 6.2 wraps its words, so that redis-py no longer knows them."""


def _unwrapped(error: Exception) -> Exception:
    """Return the error of a command inside the script as servers newer than 6.2 tell it."""
    found = re.search(r"@user_script: \d+: -([A-Z]+) ", str(error))
    kind = _INSIDE.get(found[1]) if found else None
    return kind(str(error)) if kind else error


class Script(Protocol):
    """A Lua script for one set of keys."""

    text: str
    sha: str
    keys: Sequence[bytes]

    def packed(self, words: str) -> bytes:
        """Return the command that runs it, as it goes over the wire."""
        ...


class Subscription(Protocol):
    """Messages as they come."""

    async def next(self) -> tuple[str, bytes] | None:
        """Return the kind of a message and its text, or None if none came for a while."""
        ...

    async def aclose(self) -> None:
        """Stop listening."""
        ...


class Wire(Protocol):
    """Connections to one server, in one event loop. All failures are `LedgerLostError`."""

    async def run(self, script: Script, words: str, heard: Callable[[Any], T]) -> T:
        """Run a script; its text goes over the wire only if the server does not know it.

        Args:
            script: What to run.
            words: Its argument.
            heard: Called with the answer, also when the caller was cancelled meanwhile; it must not suspend.

        Returns:
            What `heard` returned.
        """
        ...

    async def subscribe(self, channels: Sequence[str]) -> Subscription:
        """Listen to channels on a connection of its own."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


class _Wire:
    """What both kinds of wire share."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._node: tuple[str, int] | None = None
        self._yard = Yard()
        self._open()

    def _open(self) -> None:
        raise NotImplementedError

    async def _send(self, *words: Any) -> Any:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError

    async def run(self, script: Script, words: str, heard: Callable[[Any], T]) -> T:
        """See `Wire`; in a task of our own, so that no connection is ever left in the middle of an answer."""
        return cast("T", await self._yard.start(self._run, script, words, heard).wait())

    async def _run(self, script: Script, words: str, heard: Callable[[Any], T]) -> T:
        """Run a script, with all that may have to be done before it can."""
        command = ("EVALSHA", script.sha, len(script.keys), *script.keys, words)
        try:
            try:
                return heard(await self._send(*command))
            except redis.exceptions.NoScriptError:
                await self._send("SCRIPT LOAD", script.text)
                return heard(await self._send(*command))
            except redis.ResponseError as error:
                if (node := _moved_to(error)) is None:
                    raise
                await self._move(node)
                await self._send("SCRIPT LOAD", script.text)
                return heard(await self._send(*command))
        except _FAILURES as wrapped:
            failure = _unwrapped(wrapped)
            if self._node is not None or isinstance(failure, redis.ReadOnlyError):
                await self._move(None)
            raise self._address.lost(failure) from None

    async def _move(self, node: tuple[str, int] | None) -> None:
        self._node = node
        await self.aclose()
        self._open()


def _moved_to(error: Exception) -> tuple[str, int] | None:
    """Return the node of a cluster that has the account; all its keys are at one."""
    if not isinstance(error, redis.exceptions.MovedError) and not str(error).startswith("MOVED "):
        return None
    host, _, port = str(error).rpartition(" ")[2].rpartition(":")
    return host, int(port)


class _AsyncioWire(_Wire):
    def _open(self) -> None:
        kind = redis.asyncio.ConnectionPool.from_url
        retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
        self._pool = self._address.pool(kind, self._node, retry=retry)
        self._line: Line | None = None
        self._opening: asyncio.Task[Line] | None = None

    async def run(self, script: Script, words: str, heard: Callable[[Any], T]) -> T:
        """See `Wire`; without a task of its own, as long as nothing is the matter."""
        line = self._line
        if line is None or not line.is_open or self._node is not None:
            return await super().run(script, words, heard)
        exchange = Exchange(heard, partial(self._refused, script, words))
        await line.send(script.packed(words), exchange)
        try:
            return cast("T", await exchange.done)
        except _FAILURES as error:
            raise self._address.lost(error) from None

    def _refused(self, script: Script, words: str, exchange: Exchange, error: Exception) -> None:
        if isinstance(error, redis.exceptions.NoScriptError) or _moved_to(error):
            self._yard.start(self._run_again, script, words, exchange)
            return
        error = _unwrapped(error)
        exchange.fail(error)
        if isinstance(error, redis.ReadOnlyError) and self._line is not None:
            # It is the master no longer, and its name may lead to the new one by now: the next command connects anew.
            asyncio.get_running_loop().call_soon(self._line.cut, ConnectionError())
            self._line = None

    async def _run_again(self, script: Script, words: str, exchange: Exchange) -> None:
        try:
            await self._run(script, words, exchange.answer)
        except LedgerLostError as error:
            exchange.fail(error)

    async def _send(self, *words: Any) -> Any:
        line = self._line
        if line is None or not line.is_open:
            if self._opening is None:  # all who come now share one attempt, and its failure
                self._opening = asyncio.get_running_loop().create_task(self._open_line())
            line = await self._opening
        exchange = Exchange(lambda raw: raw, Exchange.fail)
        await line.send(line.pack(*words), exchange)
        return await exchange.done

    async def _open_line(self) -> Line:
        try:
            line = self._line = Line(await self._connected(), redis.ResponseError, ANSWER_S)
        finally:
            self._opening = None
        return line

    async def _connected(self) -> Any:
        connection = self._pool.make_connection()
        await connection.connect()
        connection.socket_timeout = None  # who uses it looks at the clock
        return connection

    async def subscribe(self, channels: Sequence[str]) -> Subscription:
        """See `Wire`."""
        try:
            connection = await self._connected()
            await connection.send_command("SUBSCRIBE", *channels, check_health=False)
        except _FAILURES as error:
            raise self._address.lost(error) from None
        return _AsyncioSubscription(connection, self._address)

    async def aclose(self) -> None:
        """See `Wire`."""
        if self._line is not None:
            self._line.cut(ConnectionError())


class _AsyncioSubscription:
    def __init__(self, connection: Any, address: Address) -> None:
        self._connection, self._address = connection, address
        self._is_asked = False

    async def next(self) -> tuple[str, bytes] | None:
        """See `Subscription`; a silent server is asked whether it is there."""
        try:
            message = await self._connection.read_response(timeout=HEALTH_S)
            if message is None:
                if self._is_asked:
                    raise redis.TimeoutError
                await self._connection.send_command("PING", check_health=False)
            self._is_asked = message is None
        except _FAILURES as error:
            raise self._address.lost(error) from None
        if message is None or message[0] not in {b"subscribe", b"message"}:
            return None
        return message[0].decode(), message[2] if message[0] == b"message" else b""

    async def aclose(self) -> None:
        """See `Subscription`."""
        with anyio.CancelScope(shield=True), contextlib.suppress(*_FAILURES):
            await self._connection.disconnect(nowait=True)


class _ThreadWire(_Wire):
    def _open(self) -> None:
        kind = redis.BlockingConnectionPool.from_url
        retry = redis.retry.Retry(NoBackoff(), 0)
        pool = partial(self._address.pool, kind, self._node, retry=retry, timeout=ANSWER_S)
        self._client: Any = redis.Redis.from_pool(pool(max_connections=CONNECTIONS))
        self._ear: Any = redis.Redis.from_pool(pool(max_connections=2))
        self._threads = anyio.CapacityLimiter(CONNECTIONS + 2)

    async def _send(self, *words: Any) -> Any:
        return await anyio.to_thread.run_sync(partial(self._client.execute_command, *words), limiter=self._threads)

    async def subscribe(self, channels: Sequence[str]) -> Subscription:
        """See `Wire`."""
        pubsub = self._ear.pubsub()
        subscription = _ThreadSubscription(pubsub, self._address)
        await subscription.told(anyio.to_thread.run_sync(partial(pubsub.subscribe, *channels), limiter=self._threads))
        return subscription

    async def aclose(self) -> None:
        """See `Wire`."""
        for client in (self._client, self._ear):
            with contextlib.suppress(*_FAILURES):
                client.close()


class _ThreadSubscription:
    def __init__(self, pubsub: Any, address: Address) -> None:
        self._pubsub, self._address = pubsub, address

    async def told(self, work: Awaitable[Any]) -> Any:
        try:
            return await work
        except _FAILURES as error:
            await self.aclose()
            raise self._address.lost(error) from None

    async def next(self) -> tuple[str, bytes] | None:
        """See `Subscription`."""
        listen = partial(self._pubsub.get_message, timeout=LISTEN_S)
        raw = await self.told(anyio.to_thread.run_sync(listen, abandon_on_cancel=True))
        if raw is None or raw["type"] not in {"subscribe", "message"}:
            return None
        return raw["type"], raw["data"] if raw["type"] == "message" else b""

    async def aclose(self) -> None:
        """See `Subscription`; a thread that still listens notices within LISTEN_S."""
        with contextlib.suppress(*_FAILURES, ValueError):
            self._pubsub.close()


def open_wire(address: Address) -> Wire:
    """Return connections for the running event loop; they open when they are needed."""
    trio = sys.modules.get("trio")  # imported by whoever runs it, so never by us
    return _ThreadWire(address) if trio is not None and trio.lowlevel.in_trio_run() else _AsyncioWire(address)
