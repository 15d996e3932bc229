"""One mailing: when it goes out, and what its status is by the clock. Source: vendor page §3.12.

Pure but for the clock it is asked with. Which statuses an action is allowed in is assumed, but for ``abort`` (only on
hold) and what `families/mailings.py` cites.
"""

from typing import Any

from attrs import define

from ongage_async.emulator._answers import bad_request
from ongage_async.emulator._clock import Clock

__all__ = ["STATUS_NAMES", "Mailing"]

NEW, SCHEDULED, IN_PROGRESS, COMPLETED, ERROR = 60001, 60002, 60003, 60004, 60005
CANCELLED, DELETED, COMPLETED_WITH_ERRORS, ON_HOLD, STOPPED = 60006, 60007, 60008, 60009, 60010
STATUS_NAMES = {
    NEW: "New",
    SCHEDULED: "Scheduled",
    IN_PROGRESS: "In Progress",
    COMPLETED: "Completed",
    ERROR: "Error",
    CANCELLED: "Cancelled",
    DELETED: "Deleted",
    COMPLETED_WITH_ERRORS: "Completed With Errors",
    ON_HOLD: "On Hold",
    STOPPED: "Stopped",
}


@define(kw_only=True, eq=False)
class Mailing:
    """Hold one mailing.

    Args:
        settings: As sent, without the date.
        left_s: Seconds of sending that are left.
        targeted: Recipients.
        starts_at: Clock's time of the launch.
        scheduled: Unix time of the launch, as sent.
    """

    id: int
    list_id: int
    settings: dict[str, Any]
    created: int
    left_s: float
    targeted: int
    modified: int
    status: int = NEW
    status_date: int
    starts_at: float = 0.0
    scheduled: int | None = None

    def launch(self, clock: Clock, scheduled: int | None) -> None:
        """Go out: at once, or at a Unix time."""
        if self.status not in (NEW, SCHEDULED):
            raise bad_request("Invalid call")
        wait_s = 0.0 if scheduled is None else max(0.0, scheduled - clock.unix())
        self.starts_at, self.scheduled = clock.now() + wait_s, scheduled
        self._become(SCHEDULED if wait_s else IN_PROGRESS, clock)

    def follow(self, clock: Clock) -> None:
        """Take the status that the time has brought."""
        if self.status == SCHEDULED and clock.now() >= self.starts_at:
            self._become(IN_PROGRESS, clock)
        if self.status == IN_PROGRESS and clock.now() >= self.starts_at + self.left_s:
            self._become(COMPLETED, clock)

    def act(self, action: str, clock: Clock) -> None:
        """Hold, resume or abort.

        Raises:
            Refusal: 400, it is not in a status for that.
        """
        if action == "hold" and self.status == IN_PROGRESS:
            self.left_s -= clock.now() - self.starts_at
            self._become(ON_HOLD, clock)
        elif action == "resume" and self.status in (ON_HOLD, STOPPED):
            self.starts_at = clock.now()
            self._become(IN_PROGRESS, clock)
        elif action == "abort" and self.status == ON_HOLD:
            self._become(STOPPED, clock)
        else:
            raise bad_request("Invalid call")

    def cancel(self, clock: Clock) -> None:
        """Cancel, unless it has ended."""
        if self.status == CANCELLED:
            return
        if self.status not in (NEW, SCHEDULED, IN_PROGRESS, ON_HOLD):
            raise bad_request("Invalid call")
        self._become(CANCELLED, clock)

    def unschedule(self, clock: Clock) -> None:
        """Take the date away."""
        if self.status not in (NEW, SCHEDULED):
            raise bad_request("Invalid call")
        self.scheduled = None
        self._become(NEW, clock)

    def revive(self, clock: Clock) -> None:
        """Come back from being cancelled, without a date (assumed)."""
        if self.status != CANCELLED:
            raise bad_request("Invalid call")
        self.scheduled = None
        self._become(NEW, clock)

    @property
    def has_sent(self) -> bool:
        """Whether it counts in reports."""
        return self.status in (COMPLETED, COMPLETED_WITH_ERRORS)

    def _become(self, status: int, clock: Clock) -> None:
        if status != self.status:
            self.status, self.status_date = status, clock.unix()

    def stats(self) -> dict[str, Any]:
        """Return its row of a report: half open it, a fifth click (so simple that a test can reckon it)."""
        sent = self.targeted
        messages = self.settings.get("email_message") or [None]
        distribution = self.settings.get("distribution") or [{}]
        return {
            "mailing_id": self.id,
            "mailing_name": self.settings["name"],
            "mailing_type": self.settings.get("type", "campaign"),
            "list_id": self.list_id,
            "email_message_id": messages[0],
            "esp_connection_id": distribution[0].get("esp_connection_id"),
            "schedule_date": self.scheduled or self.created,
            "stats_date": self.status_date,
            "delivery_date": self.status_date,
            "is_test_campaign": int(bool(self.settings.get("is_test"))),
            **dict.fromkeys(("targeted", "sent", "success"), sent),
            **dict.fromkeys(("failed", "hard_bounces", "soft_bounces", "unsubscribes", "complaints"), 0),
            **dict.fromkeys(("opens", "unique_opens"), sent // 2),
            **dict.fromkeys(("clicks", "unique_clicks"), sent // 5),
        }
