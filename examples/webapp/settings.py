"""What the app is told by its environment, beside the ``ONGAGE_*`` variables of the client."""

import os
from pathlib import Path

from attrs import frozen


def _secret(name: str) -> str:
    """Return a secret; one that is missing or empty would let everybody in."""
    if not (value := os.environ.get(name)):
        raise ValueError(f"set {name} to a secret of your own")
    return value


@frozen
class Settings:
    """Settings of the app.

    Args:
        folder: Where it keeps what must last: outbox, files on their way, reports. All workers share it.
        public_url: How the vendor reaches the app.
        max_wait_s: How long a visitor waits for the account's budget.
        staff_token: What the shop and staff's scripts send as ``X-Staff-Token``.
        webhook_secret: The part of the webhook's path that only the vendor knows.
    """

    folder: Path
    public_url: str
    max_wait_s: float
    staff_token: str
    webhook_secret: str

    @classmethod
    def from_env(cls) -> "Settings":
        """Read ``WEBAPP_*``."""
        env = os.environ
        return cls(
            folder=Path(env.get("WEBAPP_FOLDER", "webapp-data")).absolute(),
            public_url=env.get("WEBAPP_PUBLIC_URL", "http://127.0.0.1:8000"),
            max_wait_s=float(env.get("WEBAPP_MAX_WAIT_S", "5")),
            staff_token=_secret("WEBAPP_STAFF_TOKEN"),
            webhook_secret=_secret("WEBAPP_WEBHOOK_SECRET"),
        )

    @property
    def nightly_file(self) -> Path:
        """The contacts that another system leaves every night."""
        return self.folder / "nightly.csv"

    @property
    def nightly_report(self) -> Path:
        """What became of them."""
        return self.folder / "nightly.report.json"
