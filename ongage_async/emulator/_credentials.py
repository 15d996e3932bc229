"""Who may call: the three headers, the API key, and the switch for API access. Source: vendor page §1.2."""

from collections.abc import Iterable

from attrs import define, field, frozen

from ongage_async.emulator._answers import Refusal

__all__ = ["Credentials", "Doorkeeper"]


@frozen
class Credentials:
    """Hold what a user sends to be known."""

    username: str = "user@example.com"
    password: str = field(default="emulated-password", repr=False)
    account_code: str = "emulated_account"

    def headers(self) -> dict[str, str]:
        """Return the three headers of a call."""
        return {"X_USERNAME": self.username, "X_PASSWORD": self.password, "X_ACCOUNT_CODE": self.account_code}


@define
class Doorkeeper:
    """Let in who is known.

    Args:
        credentials: The account's user.
        api_key: The account's key.
        api_enabled: Whether the account has API access at all.
    """

    credentials: Credentials = field(factory=Credentials)
    api_key: str = field(default="emulated-api-key", repr=False)
    api_enabled: bool = True
    _expected: tuple[bytes, bytes, bytes] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        known = self.credentials
        self._expected = (known.username.encode(), known.password.encode(), known.account_code.encode())

    def admit(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the account code of a call.

        Args:
            headers: Names in lower case, as ASGI has them.

        Raises:
            Refusal: 401, or 403 when the account has no API access.
        """
        sent = dict(headers)
        key = sent.get(b"x-api-key")
        if key is not None:
            if key != self.api_key.encode():
                raise Refusal(401, "Invalid API key", form="bare")
        elif (sent.get(b"x_username"), sent.get(b"x_password"), sent.get(b"x_account_code")) != self._expected:
            raise Refusal(401, "Unauthorized")
        if not self.api_enabled:
            raise Refusal(403, "Permission error", form="http")
        return self.credentials.account_code
