"""What is said to the Redis ledger and what it answers: the script, its keys, its words. Pure; nothing is sent here.

The script (`ledger_state.lua` and `ledger.lua`) is the port of `_rules.py`; the constants of both are written there and
only there, and put into the script's text here. Used by `_redis.py`.
"""

import hashlib
import math
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from ongage_async.config import Lane, Limits
from ongage_async.governor import _rules
from ongage_async.governor._lease import End, Lease, Pause, Wait, value
from ongage_async.governor._rules import Account, Member

__all__ = [
    "Answer",
    "Script",
    "give_back_args",
    "hold_args",
    "join_args",
    "limits_args",
    "read_account",
    "read_decision",
    "read_limits",
    "read_pause",
    "renew_args",
    "take_args",
]

LEAP_S = 0.5
"""A server's clock that is further ahead than this of what a member expects was put forward: it is not followed."""

KEEP_S = 3600.0
"""How long the server keeps an account after everything in it is past."""

KEEP_MOST_S = 30 * 86400.0

DEAF = 10
"""How many of a line who do not listen, being dead, are passed over to wake one who does."""

_LANES = tuple(Lane)
_NAMES = ("account", "home", "places", "open", "names", "fresh", "line0", "line1", "line2")

_RULES = (
    "PASSED_OVER CATCH_UP CATCH_UP_S SQUEEZE SQUEEZE_FULL LEAST_SHARE CREEP_WINDOWS TURN_S PATIENCE_S "
    "SECONDS_PATIENCE_S FORGET_S"
)


def _constants() -> dict[str, str]:
    """Return the rules' constants and this file's, as Lua writes them."""
    values = {name: getattr(_rules, name) for name in _RULES.split()}
    values |= {"LEAP_S": LEAP_S, "KEEP_S": KEEP_S, "KEEP_MOST_S": KEEP_MOST_S, "DEAF": DEAF}
    values |= {"LADDER": f"{{{', '.join(map(str, _rules.VENDOR_LADDER_S))}}}"}
    return {name: str(value) for name, value in values.items()}


@cache
def _whole_text() -> str:
    """Return the script's text, with the constants in it.

    The second file is the body of a function: its own functions take from that one what they share with the first
    file, where otherwise Lua searches the stack for each variable of each of them, at every command.
    """
    folder, values = files("ongage_async.governor"), _constants()
    state, decision = (folder.joinpath(name).read_text("utf-8") for name in ("ledger_state.lua", "ledger.lua"))
    text = f"{state}\nreturn (function()\n{decision}\nend)()\n"
    return re.sub(r"\bC\.([A-Z_]+)", lambda found: values[found[1]], text)


@value
class Answer:
    """What every answer of the script begins with, and the rest.

    Attributes:
        now: Ledger time at which it was decided.
        generation: Which memory of the account this is; another one than before means that something was forgotten.
        last_id: The number of the last lease.
        is_strange: The account does not know this member, or not in this generation: it should join.
        words: The rest.
    """

    now: float
    generation: str
    last_id: int
    is_strange: bool
    words: Sequence[str]
    lists: Sequence[Sequence[bytes]] = ()

    @classmethod
    def read(cls, raw: Any) -> "Answer":
        """Read what the server sent."""
        line, *lists = raw if isinstance(raw, list) else [raw]
        now, generation, last_id, strange, *words = line.decode().split(" ")
        return cls(float(now), generation, int(last_id), strange == "1", words, lists)


class Script:
    """The script for one account: its text, its digest, its keys and channels.

    Args:
        account_key: What names the account.
        limits: What this member takes the account to allow.
        margin_s: See `Account`.
        reserve: See `Account`.
    """

    def __init__(self, account_key: str, limits: Limits, margin_s: float, reserve: int) -> None:
        self.text = _whole_text()
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        self.keys: Sequence[bytes] = [f"{{ongage:{account_key}}}:{name}".encode() for name in _NAMES]
        command = (b"EVALSHA", self.sha.encode(), b"%d" % len(self.keys), *self.keys)
        self._head = b"*%d\r\n%b" % (len(command) + 1, b"".join(map(_packed, command)))
        self._prefix = f"{{ongage:{account_key}}}:"
        self._policy = [_number(margin_s), _number(reserve)]
        self.declare(limits)

    def declare(self, limits: Limits) -> None:
        """Say from now on that the account allows `limits`."""
        self.limits = limits
        self._own = ",".join((*self._policy, *limits_args(limits)))

    def packed(self, words: str) -> bytes:
        """Return the command that runs the script, as it goes over the wire."""
        return self._head + _packed(words.encode())

    def channels(self, member: str) -> tuple[str, str]:
        """Return the channel of this member, and the one of all."""
        return f"{self._prefix}wake:{member}", f"{self._prefix}all"

    def words(
        self,
        op: str,
        member: str,
        *args: str,
        generation: str = "",
        seen_id: int = 0,
        expected: float | None = None,
        now: float | None = None,
    ) -> str:
        """Return the script's argument: one JSON array, since each further argument costs time at both ends.

        Args:
            op: The operation.
            member: Who asks.
            *args: The operation's own, as JSON.
            generation: The one that the member last saw; empty when it knows of none.
            seen_id: The highest number of a lease that it saw in it.
            expected: What ledger time it thinks that it is.
            now: What time it is, in tests.
        """
        known = _text(generation) if generation else "false"
        head = f'"{op}",{_number(now)},"{member}",{known},{seen_id},{_number(expected)}'
        return f"[{','.join((head, self._own, *args))}]"


def _packed(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


def _number(value: float | None) -> str:
    return "false" if value is None else f"{value:.17g}"


def _text(word: str) -> str:
    return f'"{word}"'  # made of letters, digits, colons: nothing to escape


def limits_args(limits: Limits) -> list[str]:
    """Return the arguments of ``set_limits``."""
    return [_number(limits.calls), _number(limits.per_s), _number(limits.parallel)]


def take_args(asks: Mapping[Lane, int], lease_s: float) -> list[str]:
    """Return the arguments of ``take``."""
    return [*[str(asks.get(lane, 0)) for lane in _LANES], _number(lease_s)]


def hold_args(for_s: float) -> list[str]:
    """Return the arguments of ``hold``."""
    return [_number(for_s)]


def renew_args(leases: Iterable[Lease], lease_s: float) -> list[str]:
    """Return the arguments of ``renew``."""
    return [_number(lease_s), *map(_lease, leases)]


def join_args(open_: Iterable[tuple[Lease, float, str]]) -> list[str]:
    """Return the arguments of ``join``: leases, the seconds that each has left, the generation that knows it."""
    return [arg for lease, left_s, known_in in open_ for arg in (_lease(lease), _number(left_s), _text(known_in))]


def _lease(lease: Lease) -> str:
    return f'"{lease.id}:{lease.member}:{int(lease.lane)}:{lease.granted_at:.17g}"'


def give_back_args(
    lease: Lease, end: End, generation: str, *, retry_after_s: float | None, stretch: float
) -> list[str]:
    """Return the arguments of ``give_back``."""
    numbers = _number(lease.granted_at), _number(retry_after_s), _number(stretch)
    return [_lease(lease), _text(end.value), *numbers, _text(generation)]


def read_decision(answer: Answer, member: str, lease_s: float) -> Lease | Wait:
    """Read the answer to ``take``."""
    until, members, rank, *lease = answer.words
    if not lease:
        return Wait(float(until), int(members), int(rank))
    number, lane, now = int(lease[0]), _LANES[int(lease[1])], answer.now
    return Lease(number, member, lane, now, now + lease_s, float(until), int(members), int(rank))


def read_pause(answer: Answer) -> Pause | None:
    """Read the answer to ``give_back``; its first word says whether this member is next."""
    if len(answer.words) < 2:
        return None
    until, strike, is_new, foreign, calls, used = answer.words[1:]
    return Pause(float(until), int(strike), is_new == "1", int(foreign), int(calls), int(used))


def read_limits(words: Iterable[str]) -> Limits:
    """Read limits as an answer or a message gives them."""
    calls, per_s, parallel = words
    return Limits(int(calls), float(per_s), int(parallel))


def read_account(answer: Answer, margin_s: float, reserve: int) -> Account:
    """Read the answer to ``look``: an account like the one at the server, to be read only."""
    values, home, places, open_, members = answer.lists
    state = [value.decode() for value in values]
    account = Account(read_limits(state[:3]), margin_s, reserve, float(state[3]), int(state[4]))
    account._hold_set_at, account._lowered_to, account._lowered_at, account._bulk_at = map(float, state[5:9])
    *account._passed, account._last_id = map(int, state[9:])
    account._homecoming = deque(map(float, home[1::2]))
    account._late_places = [float(date) for date in places[1::2]]
    for word, expires_at in zip(open_[::2], open_[1::2], strict=True):
        number, member, lane, granted_at = word.decode().split(":")
        lease = Lease(int(number), member, Lane(int(lane)), float(granted_at), float(expires_at))
        account.open[lease.id] = lease
    account._first_expiry = min((lease.expires_at for lease in account.open.values()), default=math.inf)
    for line in members:
        name, fresh_until, *numbers = line.decode().split(" ")
        asks = {lane: int(numbers[lane]) for lane in Lane if numbers[lane] != "0"}
        account.members[name] = Member(asks, float(fresh_until), [int(number) for number in numbers[3:]])
    account._calls = account._calls_at(answer.now)
    return account
