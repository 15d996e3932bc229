"""Say how large the next call is, where a refused one is cut, and how many calls the cutting may cost.

Pure: no I/O, no clock. `_courier.py` asks. The vendor advises 5 to 50 contacts a call and "perhaps 100 if little data"
(vendor page §2); which size of body it takes is not known, so `MOST_BYTES` is *assumed*.
"""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

__all__ = ["BEGIN_ROWS", "MOST_BYTES", "MOST_ROWS", "BatchSize", "SpareCalls", "suspects"]

BEGIN_ROWS = 50
MOST_ROWS = 100
MOST_BYTES = 256 * 1024
SPARE_CALLS = 100

_FORGET_AFTER = 100
"""Accepted calls after which a size that was once too much is tried again, carefully."""
_EARNED = 2
"""Spare calls for each accepted call. A bad row among n costs about 2·log2(n) calls, half of which are accepted: so a
stream with bad rows here and there pays for its own cutting, and one in which all is bad soon has no more to spend."""


@define
class BatchSize:
    """Follow how many rows a call may carry: grow while calls are accepted, shrink when one was too much.

    Bad rows alone do not shrink it: cutting k of them out of n costs about 2k·log2(n/k) calls, so that all sizes cost
    much the same, and large ones are cheaper where the rows are good.

    Args:
        most: Rows that a call carries at most.

    Attributes:
        rows: Rows of the next call.
    """

    most: int
    rows: int = field(init=False)
    _ceiling: int = field(init=False)
    _quiet: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.rows = min(BEGIN_ROWS, self.most)
        self._ceiling = self.most

    def accepted(self, rows: int) -> None:
        """Note that a call with so many rows was answered; only a full one shows that more may be possible."""
        self._quiet += 1
        if self._quiet >= _FORGET_AFTER:
            self._ceiling, self._quiet = min(self.most, _more(self._ceiling)), 0
        if rows >= self.rows:
            self.rows = min(self._ceiling, _more(self.rows))

    def too_much(self, rows: int) -> None:
        """Note that a call failed because of its size: refused while its parts were accepted, or never answered."""
        self._ceiling = max(1, min(self._ceiling, rows * 3 // 4))
        self.rows = max(1, min(self.rows, rows // 2))
        self._quiet = 0


def _more(rows: int) -> int:
    return rows + max(1, rows // 4)


@define
class SpareCalls:
    """Keep the calls that may still be spent on cutting refused calls into parts.

    Args:
        most: Calls to begin with, and the most that are saved up.
    """

    most: int
    left: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.left = self.most

    def earn(self) -> None:
        """Note an accepted call."""
        self.left = min(self.most, self.left + _EARNED)

    def spend(self, calls: int) -> bool:
        """Take so many calls; false, and nothing taken, when there are fewer."""
        if self.left < calls:
            return False
        self.left -= calls
        return True


def suspects(errors: Any, rows: int) -> frozenset[int]:
    """Return the places of the rows that a refusal blames, so that the cut goes between them and the others.

    The shape of the vendor's details is not known (vendor page §1.4); *assumed* is an object keyed by the row's place,
    from 0. A wrong guess costs a call or two, since both parts are sent and so examined.

    Args:
        errors: The details of the refusal.
        rows: How many rows it concerns.

    Returns:
        Some of the rows, never all of them; none when nothing useful is told.
    """
    if not isinstance(errors, Mapping):
        return frozenset()
    keys = [str(key) for key in errors]
    places = frozenset(int(key) for key in keys if key.isascii() and key.isdigit() and len(key) < 9 and int(key) < rows)
    return places if len(places) < rows else frozenset()
