"""An outbox in Redis or Valkey, for the processes of many machines: streams with one group of senders.

The steps are `outbox.lua`, one atomic script. What is durable is the server's word: ``appendonly yes`` and
``appendfsync always`` for an outbox that survives its power cut. The only file of this room that imports `redis`.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ongage_async._operation import Repeat
from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError, InvalidInputError, OutboxError
from ongage_async.outbox._entry import DISCARDABLE, RETRIABLE, Entry, NewEntry, OutboxStatistics, Status
from ongage_async.outbox._store import BATCH, LEASE_S, SAME_KEY

try:
    import redis
    import redis.exceptions
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:
    raise ConfigurationError("an outbox at redis:// needs redis-py: pip install 'ongage-async[redis]'") from error

__all__ = ["RedisStore"]

T = TypeVar("T")

CONNECT_S, ANSWER_S = 2.0, 5.0
CONNECTIONS = 4
HEALTH_S = 30

_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
_UNREADABLE = "the outbox's URL cannot be read: use redis://host:6379/0"
_LOST = (redis.ConnectionError, redis.TimeoutError, OSError)


@cache
def _script() -> tuple[str, str]:
    text = files("ongage_async.outbox").joinpath("outbox.lua").read_text("utf-8")
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisStore:
    """Keep entries on a server; see `Store`.

    Args:
        url: ``redis:// rediss:// valkey:// valkeys://``, with user, password, database number and redis-py's options.
        account: The account that the calls are for; a part of the keys.
        lease_s: A sender that was silent for so long counts as dead. One that only slept finds that its entries are
            somebody else's, and sends nothing.

    Raises:
        ConfigurationError: The URL cannot be used.
        OutboxError: The server cannot be used.
    """

    def __init__(self, url: str, account: str, lease_s: float = LEASE_S) -> None:
        self.owner = secrets.token_hex(8)
        self._prefix = f"ongage:outbox:{{{account}}}:"
        self._lease_ms = max(1, round(lease_s * 1000))
        scheme, _, rest = url.partition("://")
        self._url = f"{_SCHEMES[scheme.lower()]}://{rest}"
        self._shown = _shown(self._url)
        self._node: tuple[str, int] | None = None
        self._client = _connected(self._url, None)
        try:
            self._refuse_to_be_evicted()
            self._run("join", self._lease_ms)
        except BaseException:
            self._client.close()
            raise

    def __repr__(self) -> str:
        return f"RedisStore({self._shown})"

    def _refuse_to_be_evicted(self) -> None:
        """Refuse a server that may throw entries away; one that does not tell is believed."""
        try:
            told = self._client.info("memory")
        except (redis.RedisError, OSError):  # not allowed to ask; if it is away, the next step says so
            return
        policy = str(told.get("maxmemory_policy", ""))
        if told.get("maxmemory") and policy.startswith("allkeys"):
            raise ConfigurationError(
                f"the outbox at {self._shown} would be evicted when memory is short (maxmemory-policy {policy}): give "
                "it a server with noeviction or a volatile-* policy"
            )

    def close(self) -> None:
        """See `Store.close`."""
        try:
            self.release()
        except OutboxError:
            pass  # then they are taken over when the lease is over
        finally:
            self._client.close()

    # -- a call's way -------------------------------------------------------------------------------------------------

    def put(self, entry: NewEntry) -> str:
        """See `Store.put`."""
        expires = "" if entry.expires_in_s is None else repr(entry.expires_in_s)
        values = (entry.id, entry.key or "", entry.kind, entry.arguments, int(entry.lane), entry.repeat.value)
        found, is_same = self._run("put", *values, entry.tenant, expires)
        if not is_same:
            raise InvalidInputError(SAME_KEY)
        return _text(found)

    def claim(self, room: Mapping[Lane, int]) -> Sequence[Entry]:
        """See `Store.claim`."""
        wanted = [room.get(lane, 0) for lane in Lane]
        return [_entry(each) for each in self._run("claim", self.owner, self._lease_ms, *wanted)]

    def begin(self, entry_id: str) -> bool:
        """See `Store.begin`; never repeated by itself, since a second one would find it begun."""
        return bool(self._once("begin", self.owner, entry_id))

    def settle(self, entry_id: str, status: Status, reason: str | None = None, answer: Any = None) -> None:
        """See `Store.settle`."""
        told = "" if answer is None else json.dumps(answer)
        self._run("settle", self.owner, entry_id, status.value, reason or "", told)

    def keep(self, entry_id: str, reason: str | None = None) -> None:
        """See `Store.keep`."""
        self._run("keep", self.owner, entry_id, reason or "")

    def release(self) -> None:
        """See `Store.release`."""
        self._run("release", self.owner)

    # -- housekeeping -------------------------------------------------------------------------------------------------

    def sweep(self, own: Sequence[str], keep_s: float) -> None:
        """See `Store.sweep`; what the dead had is taken over by `claim`."""
        self._run("sweep", self.owner, repr(keep_s), BATCH, *own)

    def decide(self, entry_id: str, status: Status) -> bool:
        """See `Store.decide`."""
        allowed = RETRIABLE if status is Status.QUEUED else DISCARDABLE
        return bool(self._once("decide", entry_id, status.value, *(each.value for each in allowed)))

    def get(self, entry_id: str) -> Entry | None:
        """See `Store.get`."""
        found = self._run("get", entry_id)
        return _entry(found) if found else None

    def page(self, status: Status | None, after: int, most: int) -> Sequence[Entry]:
        """See `Store.page`."""
        return [_entry(each) for each in self._run("page", status.value if status else "", after, most)]

    def statistics(self) -> OutboxStatistics:
        """See `Store.statistics`."""
        counts, oldest = self._run("statistics", *(each.value for each in Status))
        named = dict(zip((each.value for each in Status), counts, strict=True))
        return OutboxStatistics(**named, oldest_queued_s=max(0.0, float(oldest)))

    # -- the wire -----------------------------------------------------------------------------------------------------

    def _run(self, *words: Any) -> Any:
        """Run a step that may be run twice: a connection that had ended in silence costs nothing so."""
        return self._try(words, 2)

    def _once(self, *words: Any) -> Any:
        return self._try(words, 1)

    def _try(self, words: Sequence[Any], times: int) -> Any:
        try:
            return self._evaluate(words)
        except (redis.RedisError, OSError) as error:
            if isinstance(error, redis.ReadOnlyError) or (isinstance(error, _LOST) and self._node is not None):
                self._move(None)  # after a failover the URL leads to another server, or knows the cluster's node
            if isinstance(error, _LOST) and times > 1:
                return self._try(words, times - 1)
            raise OutboxError(f"the outbox at {self._shown} {_why(error)}") from None

    def _evaluate(self, words: Sequence[Any]) -> Any:
        text, sha = _script()
        try:
            return self._client.evalsha(sha, 1, self._prefix, *words)
        except redis.exceptions.NoScriptError:
            return self._client.eval(text, 1, self._prefix, *words)
        except redis.ResponseError as error:
            if (node := _moved_to(error)) is None:
                raise
            self._move(node)
            return self._client.eval(text, 1, self._prefix, *words)

    def _move(self, node: tuple[str, int] | None) -> None:
        """Speak to another node from now on; a step of another thread that loses its connection by that is repeated."""
        former, self._node, self._client = self._client, node, _connected(self._url, node)
        former.close()


def _shown(url: str) -> str:
    """Return what of a URL may be shown."""
    try:
        parts = urlsplit(url)
        int(parts.path.strip("/") or 0)  # the number of a database, or nothing
        return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
    except ValueError:
        raise ConfigurationError(_UNREADABLE) from None


def _connected(url: str, node: tuple[str, int] | None) -> Any:
    """Return a client for a URL, or for a node of its cluster."""
    try:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=ANSWER_S,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=ANSWER_S,
            socket_keepalive=True,
            health_check_interval=HEALTH_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except (ValueError, TypeError):
        raise ConfigurationError(_UNREADABLE) from None
    if node is not None:
        pool.connection_kwargs |= {"host": node[0], "port": node[1]}
    return redis.Redis.from_pool(pool)


def _moved_to(error: Exception) -> tuple[str, int] | None:
    """Return the node of a cluster that has the account; all its keys are at one."""
    if not isinstance(error, redis.exceptions.MovedError) and not str(error).startswith("MOVED "):
        return None
    host, _, port = str(error).rpartition(" ")[2].rpartition(":")
    return host, int(port)


def _why(error: Exception) -> str:
    """Say what is the matter, without what the command held."""
    for kind, why in _REASONS.items():
        if isinstance(error, kind):
            return why
    return f"failed ({type(error).__name__})"


_REASONS: Mapping[type[Exception], str] = {
    redis.AuthenticationError: "refused the user name or the password",
    redis.exceptions.NoPermissionError: "lets this user not run scripts, or not use its keys",
    redis.BusyLoadingError: "is still loading its data",
    redis.ReadOnlyError: "is a replica that only reads",
    redis.exceptions.OutOfMemoryError: "is out of memory",
    redis.TimeoutError: f"did not answer within {ANSWER_S:g} s",
    redis.ConnectionError: "cannot be reached",
    OSError: "cannot be reached",
}


def _entry(told: Sequence[Any]) -> Entry:
    """Read what the script says of an entry: its id and number, the server's time, and its hash."""
    now, flat = float(told[2]), [_text(each) for each in told[3]]
    words = dict(zip(flat[::2], flat[1::2], strict=True))
    return Entry(
        id=_text(told[0]),
        number=int(told[1]),
        kind=words["kind"],
        status=Status(words["status"]),
        lane=Lane(int(words["lane"])),
        repeat=Repeat(words["repeat"]),
        tenant=words["tenant"],
        key=words.get("key"),
        attempts=int(words["attempts"]),
        age_s=max(0.0, now - float(words["put_at"])),
        expires_in_s=_maybe(words, "expires_at", lambda at: float(at) - now),
        reason=words.get("reason") or None,
        arguments=json.loads(words["arguments"]),
        answer=_maybe(words, "answer", json.loads),
    )


def _maybe(words: Mapping[str, str], name: str, read: Callable[[str], T]) -> T | None:
    return read(words[name]) if words.get(name) else None


def _text(raw: bytes) -> str:
    return raw.decode()
