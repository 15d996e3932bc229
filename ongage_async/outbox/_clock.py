"""A clock for dates that outlive processes and boots, and that setting the computer's clock does not move.

It runs with the time since the boot. What ties the times of two boots together is the wall clock, looked at once per
boot: there is nothing else, and it never leads back. Pure but for the two readings of time; `_sqlite.py` keeps the tie.
"""

import time

from attrs import frozen

from ongage_async.governor._file_place import boot_number

__all__ = ["Tie", "boot_number", "since_boot_s"]

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def since_boot_s() -> float:
    """Return seconds since the boot, sleep included where the system can tell."""
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


@frozen
class Tie:
    """Say how a boot's time becomes the store's: ``since_boot_s() + ahead_s``.

    Attributes:
        boot: The boot's number.
        ahead_s: What its time lacks.
    """

    boot: float
    ahead_s: float

    @classmethod
    def of_new_boot(cls, boot: float, last_date: float, wall_s: float, running_s: float) -> "Tie":
        """Tie a boot to what was written before it.

        Args:
            boot: Its number.
            last_date: The latest date that the store holds.
            wall_s: The wall clock.
            running_s: Seconds since the boot.
        """
        return cls(boot, max(last_date, wall_s) - running_s)

    def now(self) -> float:
        """Return the store's time; of this boot only."""
        return since_boot_s() + self.ahead_s
