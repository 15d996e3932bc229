"""What a process does to a ledger file's state when it joins: first ever, once more, after a reboot, after a loss.

Never a silently new budget: what may have been sent and is not known counts as sent this instant. Called by `_file.py`
under the lock.
"""

import math
import secrets
from collections.abc import Iterable

from attrs import frozen

from ongage_async.config import Limits
from ongage_async.errors import ConfigurationError
from ongage_async.governor import _file_place as place
from ongage_async.governor._file_state import State, new_state
from ongage_async.governor._file_store import CAN_TELL, Store
from ongage_async.governor._lease import Lease
from ongage_async.governor._rules import PATIENCE_S, TURN_S, Account

__all__ = ["CLOCKS", "CLOCKS_S", "Newcomer"]

CLOCKS_S = 1.0
"""Clocks of two processes that differ by more are not the same clock."""

CLOCKS = (
    "the clocks of the processes that share this ledger file differ (a time namespace, or a faked monotonic clock): "
    "give them the same, or use redis://"
)


@frozen
class Newcomer:
    """Who joins, and what it knows.

    Attributes:
        name: The member's.
        port: Where it listens.
        limits: What it knows of the account; `margin_s` and `reserve` likewise.
    """

    name: str
    port: int
    limits: Limits
    margin_s: float
    reserve: int

    def first_state(self, now: float) -> State:
        """Return the state of a file that nobody used before; its lease ids are like no other file's."""
        account = Account(self.limits, self.margin_s, self.reserve)
        return new_state(account, secrets.randbits(31) << 20, place.boot_number(), now)

    def enter(self, store: Store, now: float, lost: Iterable[Lease] | None) -> None:
        """Enter this member into a file that is locked.

        Args:
            store: The file.
            now: Ledger time.
            lost: After another file was lost of which this one knows nothing: this member's leases there; else None.

        Raises:
            ConfigurationError: The file's state cannot be used.
        """
        boot = place.boot_number()
        state = self._state_of(store, boot, now)
        for other in [n for n, p in state.peers.items() if n != self.name and not store.is_alive(n, now - p.heard_at)]:
            if CAN_TELL and not store.heir_of:
                state.bury(other, now)
            else:
                state.drop(other)  # alive perhaps, and not yet back in a file that was made anew
        if lost is not None:
            state.account.open.update({lease.id: lease for lease in lost if lease.member == self.name})
            state.account._first_expiry = -math.inf
            state.all_out(now)
        self._agree(state.account, now)
        for member in state.account.members.values():  # whoever was alone may have been told to wait for ever
            member.fresh_until = min(member.fresh_until, now + PATIENCE_S + 2 * TURN_S)
        state.join(self.name, self.port, now)
        state.seen_at = now
        store.claim(self.name)
        store.save(state)
        if not store.is_of_boot(boot):
            store.write_boot(boot)

    def _state_of(self, store: Store, boot: float, now: float) -> State:
        state = store.load()
        if state is None:
            if store.is_of_boot(boot):
                raise ConfigurationError(
                    "governor: the ledger file is damaged: stop every process that uses it, remove the file, wait a "
                    "window, and start again"
                )
            state = self.first_state(now)  # the machine stopped while it was being written
            state.boot = math.nan
        if state.boot != boot:
            state.rebooted(boot, now)
        elif now < state.seen_at - CLOCKS_S:
            raise ConfigurationError(f"governor: {CLOCKS}")
        return state

    def _agree(self, account: Account, now: float) -> None:
        """Let the strictest limits hold; whoever is alone brings its own, and a learner goes on from the last ones."""
        account.settle(now)
        mine, theirs = self.limits, account.limits
        if mine.learn:
            mine = Limits(theirs.calls, mine.per_s, mine.parallel)
        if all(other == self.name for other in account.members):
            account.change_limits(mine, now)
            account.margin_s, account.reserve = self.margin_s, self.reserve
            return
        account.change_limits(
            Limits(min(mine.calls, theirs.calls), max(mine.per_s, theirs.per_s), min(mine.parallel, theirs.parallel)),
            now,
        )
        account.margin_s = max(account.margin_s, self.margin_s)
        account.reserve = min(max(account.reserve, self.reserve), account.limits.calls - 1)
