"""Validation of single addresses, in real time: a service beside the API, on a host and with a key of its own.

The vendor's page names ``https://api.ongage.io`` and a key that support hands out; one client calls the same path on
the API's own host with the API's key (vendor page §1.1, §3.20). Both are here: `Validation.with_key` for the first,
`ongage.validation` as it is for the second. The account's own password is never sent to the other host.
"""

from collections.abc import Callable

from ongage_async._operation import Caller, ListIn, Operation, Repeat
from ongage_async.config import ApiKey, Lane
from ongage_async.models import AddressVerdict
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import Reader
from ongage_async.resources._inputs import text

VALIDATE = Operation(
    "validation.validate",
    "POST",
    "/email-validation/api/v1/realtime-validation",
    Repeat.IF_UNSENT,
    Lane.URGENT,
    ListIn.NOWHERE,
)

HOST = "https://api.ongage.io"


class Validation:
    """Ask whether an address takes mail.

    Args:
        caller: The engine, for the API's own host.
        on_drift: Told what the models do not know.
        elsewhere: Makes a caller for another host and another key.
    """

    __slots__ = ("_caller", "_elsewhere", "_read")

    def __init__(
        self,
        caller: Caller,
        on_drift: OnDrift | None = None,
        elsewhere: Callable[[str, ApiKey], Caller] | None = None,
    ) -> None:
        self._caller = caller
        self._read = Reader(on_drift)
        self._elsewhere = elsewhere

    def with_key(self, key: str, *, base_url: str = HOST) -> "Validation":
        """Return the same service by the validation's own key, on its own host; cheap, and it needs no closing.

        Its calls count against the same budget, as no page says that they do not.

        Args:
            key: As issued by the vendor's support; not the API key.
            base_url: Scheme and host.

        Raises:
            ConfigurationError: The key is blank, or the URL is none.

        Cost: no call.
        Repeat: SAFE, it sends nothing.
        Source: vendor page §3.20 (vendor doc); the same path on the main host is client code.
        """
        if self._elsewhere is None:
            raise TypeError("this object has no client that could reach another host")
        caller = self._elsewhere(base_url, ApiKey(key))
        return Validation(caller, self._read.on_drift, self._elsewhere)

    async def validate(self, email: str) -> AddressVerdict:
        """Validate one address; it costs a credit of the account.

        Args:
            email: The address; only one per call.

        Returns:
            Its verdict, and the vendor's reason for it.

        Raises:
            BadRequestError: The key is wrong ("Invalid API key"): try `with_key`.
            AuthenticationError: The same, as the API's own host says it.
            APIError: With `status` 402: there are no credits left.
            DecodeError: The answer holds no verdict.

        Cost: 1 call, lane URGENT: somebody waits at a form; and one credit.
        Repeat: IF_UNSENT: a second send may cost a second credit.
        Source: vendor page §3.20 (vendor doc); its sample of the body is malformed, so ``{"email": …}`` is client code.
        """
        answer = await self._caller.call(VALIDATE, body={"email": text(email, "email")})
        return self._read.one(AddressVerdict, answer, VALIDATE)
