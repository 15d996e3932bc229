"""What a ledger file remembers, as numbers: an account, its members and their addresses in one vector of doubles.

Pure: no file is touched here. The dates at which tokens come home are not in the vector but in a ring of their own,
since there may be a hundred thousand of them; the vector says which part of the ring counts. Called by
`_file_store.py` and `_file_join.py`.
"""

import copy
from array import array
from collections import deque
from collections.abc import Iterable

from attrs import define, evolve, field

from ongage_async.config import Lane, Limits
from ongage_async.governor._lease import Lease
from ongage_async.governor._rules import TURN_S, Account, Member

__all__ = ["Dates", "Peer", "State", "decode", "encode", "new_state", "span_of"]

_LANES = tuple(Lane)
_HEAD, _LEASE, _MEMBER = 27, 6, 10


class Dates(deque[float]):
    """The homecoming dates, numbered: `head` is the first one's number, `tail` the next one's."""

    def __init__(self, dates: Iterable[float] = (), head: int = 0) -> None:
        super().__init__(dates)
        self.head, self.tail = head, head + len(self)

    def append(self, date: float) -> None:
        """Add the next one."""
        super().append(date)
        self.tail += 1

    def popleft(self) -> float:
        """Drop the first one."""
        self.head += 1
        return super().popleft()

    def follow(self, head: int, tail: int, news: Iterable[float]) -> None:
        """Catch up with what other processes did: `news` are the dates from our tail to theirs."""
        super().extend(news)
        self.tail = tail
        while self.head < head:
            self.popleft()

    def clear(self) -> None:
        """Drop all."""
        super().clear()
        self.head = self.tail

    def extend(self, dates: Iterable[float]) -> None:
        """Add several."""
        before = len(self)
        super().extend(dates)
        self.tail += len(self) - before


@define
class Peer:
    """How a member is reached: the loopback port that it listens on (0: none), and when it was last heard of."""

    port: int
    heard_at: float


@define
class State:
    """All that a ledger file says.

    Attributes:
        account: The budget.
        dates: The account's homecoming dates.
        peers: The members' addresses.
        boot: In which boot's time the dates are.
        seen_at: When it was last written.
        ring: How many dates the ring that is in use can hold.
        names: The members' names by their numbers.
    """

    account: Account
    dates: Dates
    boot: float
    seen_at: float
    peers: dict[str, Peer] = field(factory=dict)
    ring: int = 0
    names: dict[float, str] = field(factory=dict)

    def join(self, name: str, port: int, now: float) -> None:
        """Enter a member, or note that it was heard of."""
        if name not in self.account.members:
            self.account.members[name] = Member()
        self.peers[name] = Peer(port, now)

    def drop(self, name: str) -> None:
        """Forget a member; its leases run out by themselves, since its calls may be open still."""
        self.account.members.pop(name, None)
        self.peers.pop(name, None)

    def bury(self, name: str, now: float) -> None:
        """Forget a member whose process has certainly ended."""
        self.account.bury(name, now)
        self.peers.pop(name, None)

    def first_in_line(self, now: float) -> str | None:
        """Return the member that is next, if by now the date of its turn is known to be earlier than what it was told.

        Whoever waits while all places are taken is told no date, since none is known. An answer then gives a place back
        while no token is home yet: nobody can go now, but the date is known.
        """
        account = self.account
        for lane in _LANES:
            line = [
                (member.served[lane], name, member.fresh_until - 2 * TURN_S)
                for name, member in account.members.items()
                if lane in member.asks and member.fresh_until >= now
            ]
            if line:
                _, name, told = min(line)
                return name if account.ready_at(lane) + TURN_S < told else None
        return None

    def copy_of_account(self, now: float) -> Account:
        """Return the account as it stands now, to be looked at."""
        account = copy.copy(self.account)
        account.open = dict(account.open)
        account.members = {name: evolve(member) for name, member in account.members.items()}
        account._homecoming = deque(account._homecoming)
        account._late_tokens, account._late_places = [*account._late_tokens], [*account._late_places]
        account.settle(now)
        return account

    def all_out(self, now: float, uncertain: int = 0) -> None:
        """Take every token that is not in an open call for spent now: it comes home a window from now.

        Args:
            now: Ledger time.
            uncertain: How many calls may be open that nobody knows of: they keep token and place for a margin first.
        """
        account, per_s = self.account, self.account.limits.per_s
        if uncertain:
            account._late_places = [now + account.margin_s] * uncertain
            account._late_tokens = [now + account.margin_s + per_s] * min(uncertain, account.limits.calls)
        rest = account.limits.calls - len(account.open) - len(account._late_tokens)
        self.dates.clear()
        self.dates.extend([now + per_s] * max(0, rest))

    def rebooted(self, boot: float, now: float) -> None:
        """Begin the time of a new boot. What was written last may be missing: everything counts as out."""
        account = self.account
        pause_s = account.hold_until - self.seen_at
        account.hold_until = now + pause_s if pause_s > 0 else -float("inf")
        account._hold_set_at = min(account._hold_set_at, self.seen_at) - self.seen_at + now
        account._lowered_at += now - self.seen_at
        account._bulk_at = -float("inf")
        account._first_expiry = float("inf")
        account.open.clear()
        account.members.clear()
        self.peers.clear()
        account._late_places, account._late_tokens = [], []
        self.all_out(now, uncertain=account.limits.parallel)
        self.boot, self.seen_at = boot, now


def new_state(account: Account, last_id: int, boot: float, now: float) -> State:
    """Return the state of a file that begins now; lease ids follow `last_id`."""
    account._homecoming = dates = Dates()
    account._last_id = last_id
    return State(account, dates, boot, now)


def encode(state: State) -> bytes:
    """Return the vector of `state`."""
    a, limits, dates = state.account, state.account.limits, state.dates
    words: list[float] = [
        state.boot, state.seen_at, state.ring, dates.head, dates.tail,
        limits.calls, limits.per_s, limits.parallel, a.margin_s, a.reserve,
        a.hold_until, a.strikes, a._hold_set_at, a._lowered_to, a._lowered_at, a._calls, a._bulk_at, *a._passed,
        a._last_id, a._first_expiry, len(a.open), len(a.members), len(a._late_tokens), len(a._late_places), 0.0,
    ]  # fmt: skip
    for lease in a.open.values():
        number = int(lease.member, 16)
        words += (lease.id, number, lease.lane, lease.granted_at, lease.expires_at, lease.ask_again_at)
    for name, member in a.members.items():
        peer, asks = state.peers[name], member.asks
        words += (int(name, 16), peer.port, peer.heard_at, member.fresh_until)
        words += [asks.get(lane, 0) for lane in _LANES]
        words += member.served
    words += a._late_tokens
    words += a._late_places
    return array("d", words).tobytes()


def decode(vector: bytes, old: State | None) -> State:
    """Return the state that `vector` holds, with the dates of `old`, which are still to be brought up to date.

    What did not change since `old` is taken from there.
    """
    words = array("d", vector).tolist()
    boot, seen_at, ring, head = words[0], words[1], int(words[2]), int(words[3])
    limits = Limits(int(words[5]), words[6], int(words[7]))
    state = State(Account(limits), Dates(head=head), boot, seen_at, ring=ring)
    if old is not None:
        state.dates, state.names = old.dates, old.names
    a = state.account
    a._homecoming = state.dates
    a.margin_s, a.reserve, a.hold_until, a.strikes = words[8], int(words[9]), words[10], int(words[11])
    a._hold_set_at, a._lowered_to, a._lowered_at, a._calls = *words[12:15], int(words[15])
    a._bulk_at, a._passed, a._last_id = words[16], [int(n) for n in words[17:20]], int(words[20])
    a._first_expiry = words[21]
    leases, members, tokens, places = (int(n) for n in words[22:26])
    at = _read_leases(state, words, leases, old.account.open if old is not None else {})
    at = _read_members(state, words, at, members)
    a._late_tokens = words[at : at + tokens]
    a._late_places = words[at + tokens : at + tokens + places]
    return state


def span_of(vector: bytes) -> tuple[int, int]:
    """Return the numbers of the first date that counts, and of the next one."""
    head, tail = array("d", vector[24:40])
    return int(head), int(tail)


def _read_leases(state: State, words: list[float], count: int, old: dict[int, Lease]) -> int:
    end = _HEAD + count * _LEASE
    for at in range(_HEAD, end, _LEASE):
        key, number, lane, granted_at, expires_at, ask_again_at = words[at : at + _LEASE]
        lease = old.get(int(key))
        if lease is None or lease.expires_at != expires_at or lease.ask_again_at != ask_again_at:
            name = _name(state, number)
            lease = Lease(int(key), name, _LANES[int(lane)], granted_at, expires_at, ask_again_at)
        state.account.open[lease.id] = lease
    return end


def _read_members(state: State, words: list[float], start: int, count: int) -> int:
    end = start + count * _MEMBER
    for at in range(start, end, _MEMBER):
        name = _name(state, words[at])
        asks = {lane: int(n) for lane, n in zip(_LANES, words[at + 4 : at + 7], strict=True) if n}
        served = [int(n) for n in words[at + 7 : at + 10]]
        state.account.members[name] = Member(asks, words[at + 3], served)
        state.peers[name] = Peer(int(words[at + 1]), words[at + 2])
    return end


def _name(state: State, number: float) -> str:
    name = state.names.get(number)
    if name is None:
        if len(state.names) > 10_000:
            state.names.clear()
        name = state.names[number] = f"{int(number):x}"
    return name
