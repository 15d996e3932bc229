"""Which governor a URL means. The ledgers that others share are imported when one of their URLs is given."""

from ongage_async.config import Limits
from ongage_async.errors import ConfigurationError
from ongage_async.governor._governor import Governor

__all__ = ["from_url"]


def from_url(url: str | None, limits: Limits | None, *, account_key: str = "") -> Governor:
    """Make a governor whose count is kept where `url` says.

    Args:
        url: None or ``memory:`` for this process alone; ``file:///path`` for the processes of one machine;
            ``redis://``, ``rediss://``, ``valkey://`` or ``valkeys://`` for many machines.
        limits: What the account allows.
        account_key: What names the account among others in the same place; a hash, never a secret.

    Raises:
        ConfigurationError: No ledger is known for this kind of URL, or it cannot be used.
    """
    scheme = "memory" if url is None else url.partition(":")[0].lower()
    limits = limits or Limits()
    if url is None or scheme == "memory":
        return Governor(limits)
    if scheme == "file":
        from ongage_async.governor._file import FileLedger

        return Governor(limits, ledger=FileLedger(url, limits, account_key))
    if scheme in {"redis", "rediss", "valkey", "valkeys"}:
        from ongage_async.governor._redis import RedisLedger

        return Governor(limits, ledger=RedisLedger(url, limits, account_key))
    raise ConfigurationError(
        f"no ledger for {scheme}: URLs: use file:///path (one machine) or redis://host (many), or leave governor= out"
    )
