"""Who may call: a customer with a key gets tokens, tokens open the API, and they grow old. Source: vendor page §5."""

import itertools
from collections.abc import Iterable

from attrs import define, field, frozen

from ongage_async.emulator._answers import Refusal
from ongage_async.emulator._clock import Clock

__all__ = ["OwnpageCustomer", "TokenOffice"]

_HEADER = b"x-ownpage-client-token"


@frozen
class OwnpageCustomer:
    """Hold what a customer is known by.

    Args:
        username: The customer id.
        api_key: The key that tokens are made from.
        tracking_key: Names the account in the subscribe form's address.
        form_key: The form's own key.
    """

    username: str = "emulated-customer"
    api_key: str = field(default="emulated-ownpage-key", repr=False)
    tracking_key: str = "emulated-tracking"
    form_key: str = field(default="emulated-form", repr=False)


@define(eq=False)
class TokenOffice:
    """Make tokens and look at them.

    Args:
        customer: Who may have one.
        clock: The time.
        life_s: How long a token lives; None for ever. The vendor does not say.
    """

    customer: OwnpageCustomer
    clock: Clock
    life_s: float | None = None
    issued: dict[str, float] = field(factory=dict, init=False, repr=False)
    _numbers: "itertools.count[int]" = field(factory=lambda: itertools.count(1), init=False, repr=False)

    def issue(self, username: object, password: object) -> str:
        """Return a new token.

        Raises:
            Refusal: 401, nobody has that name and key.
        """
        if (username, password) != (self.customer.username, self.customer.api_key):
            raise Refusal(401, "Unauthorized")
        return self.grant()

    def grant(self) -> str:
        """Return a new token without asking anybody, to prepare a test."""
        token = f"emulated-token-{next(self._numbers):06d}"
        self.issued[token] = self.clock.now()
        return token

    def expire_all(self) -> None:
        """Let every token be too old from now on."""
        self.issued.clear()

    def admit(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the customer of a call.

        Raises:
            Refusal: 401, it has no token, or an old one.
        """
        token = dict(headers).get(_HEADER, b"").decode("latin-1")
        made_at = self.issued.get(token)
        if made_at is None:
            raise Refusal(401, "Unauthorized")
        if self.life_s is not None and self.clock.now() - made_at >= self.life_s:
            del self.issued[token]
            raise Refusal(401, "Token expired")
        return self.customer.username
