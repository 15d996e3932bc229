"""Sending connections of the account, and what a client of 2014 knew around them. Source: vendor page §3.19.

Of the account, not of a list (inferred). All but `options` and `create` is that client's code alone, which calls it
undocumented: their payloads are given as they come.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ongage_async._operation import Caller, ListIn, Operation, Repeat
from ongage_async.models import Esp, EspConnection, Page
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import Reader
from ongage_async.resources._raw import body_of, ids


def _operation(name: str, method: str, route: str, repeat: Repeat = Repeat.SAFE) -> Operation:
    return Operation(f"esp_connections.{name}", method, route, repeat, list_in=ListIn.NOWHERE)


OPTIONS = _operation("options", "GET", "/api/esp_connections/options")
CREATE = _operation("create", "POST", "/api/esp_connections", Repeat.IF_UNSENT)
GET = _operation("get", "GET", "/api/esp_connections/{connection_id}")
DELETE = _operation("delete", "DELETE", "/api/esp_connections/{connection_id}")
ACCOUNT_ESPS = _operation("account_esps", "GET", "/api/accounts/0/esps")
ESPS = _operation("esps", "GET", "/api/esps")
ESP = _operation("esp", "GET", "/api/esps/{esp_id}")
ADDRESSES = _operation("addresses", "GET", "/api/account_addresses")
ADDRESS = _operation("address", "GET", "/api/account_addresses/{address_id}")
CREATE_ADDRESS = _operation("create_address", "POST", "/api/account_addresses", Repeat.IF_UNSENT)
UPDATE_ADDRESS = _operation("update_address", "PUT", "/api/account_addresses/{address_id}")
DELETE_ADDRESSES = _operation("delete_addresses", "POST", "/api/account_addresses/delete")


class EspConnections:
    """Look at sending connections and make new ones."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def options(self, *, active_only: bool | None = None) -> Page[EspConnection]:
        """Get the connections that a mailing may choose from; `support_transactional` says which can send single ones.

        Args:
            active_only: Whether inactive ones are left out; the vendor's default is no.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.19, GET /api/esp_connections/options (vendor doc).
        """
        answer = await self._caller.call(OPTIONS, query={"active_only": active_only})
        return self._read.page(EspConnection, answer, OPTIONS, offset=0, limit=None)

    async def create(self, esp_id: Esp | int, *, extra: Mapping[str, Any] | None = None) -> EspConnection:
        """Create the shell of a connection; its credentials are set in the vendor's user interface.

        Args:
            esp_id: The sending vendor's number: an `Esp`, or any other.
            extra: More keys, as they are.

        Returns:
            The connection.

        Raises:
            DecodeError: The answer holds no id; the connection was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two.
        Source: vendor page §3.19, POST /api/esp_connections (vendor doc); ``/api/esp_connection`` in one sample is
            taken as a slip (§6.1 #18).
        """
        answer = await self._caller.call(CREATE, body=body_of(extra, esp_id=int(esp_id)))
        return self._read.changed(EspConnection, answer, CREATE)

    async def get(self, connection_id: int) -> EspConnection:
        """Get one connection.

        Raises:
            NotFoundError: There is no such connection, or no such call any more.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.19, GET /api/esp_connections/<id>; client code of 2014 only.
        """
        answer = await self._caller.call(GET, path={"connection_id": connection_id})
        return self._read.one(EspConnection, answer, GET)

    async def delete(self, connection_id: int) -> None:
        """Delete a connection for good; what becomes of mailings that use it is not known.

        Raises:
            NotFoundError: There is no such connection, or no such call any more.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is gone after one send or two.
        Source: vendor page §3.19, DELETE /api/esp_connections/<id>; client code of 2014 only.
        """
        await self._caller.call(DELETE, path={"connection_id": connection_id})

    async def account_esps(self) -> Any:
        """Get the sending vendors of the account.

        Returns:
            The payload as it comes.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.19, GET /api/accounts/0/esps; client code of 2014 only.
        """
        return (await self._caller.call(ACCOUNT_ESPS)).payload

    async def esps(self) -> Any:
        """Get all sending vendors.

        Returns:
            The payload as it comes.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.19, GET /api/esps; client code of 2014 only.
        """
        return (await self._caller.call(ESPS)).payload

    async def esp(self, esp_id: Esp | int) -> Any:
        """Get one sending vendor.

        Returns:
            The payload as it comes.

        Raises:
            NotFoundError: There is none with this number, or no such call any more.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.19, GET /api/esps/<id>; client code of 2014 only.
        """
        return (await self._caller.call(ESP, path={"esp_id": int(esp_id)})).payload

    async def addresses(self) -> Any:
        """Get the sender addresses of the account.

        Returns:
            The payload as it comes.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.19, GET /api/account_addresses; client code of 2014 only.
        """
        return (await self._caller.call(ADDRESSES)).payload

    async def address(self, address_id: int) -> Any:
        """Get one sender address.

        Returns:
            The payload as it comes.

        Raises:
            NotFoundError: There is no such address, or no such call any more.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.19, GET /api/account_addresses/<id>; client code of 2014 only.
        """
        return (await self._caller.call(ADDRESS, path={"address_id": address_id})).payload

    async def create_address(self, extra: Mapping[str, Any]) -> Any:
        """Create a sender address.

        Args:
            extra: The whole body: its keys are not known.

        Returns:
            The payload as it comes.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two.
        Source: vendor page §3.19, POST /api/account_addresses; client code of 2014 only.
        """
        return (await self._caller.call(CREATE_ADDRESS, body=dict(extra))).payload

    async def update_address(self, address_id: int, extra: Mapping[str, Any]) -> Any:
        """Change a sender address.

        Args:
            address_id: The address.
            extra: The whole body: its keys are not known.

        Returns:
            The payload as it comes.

        Raises:
            NotFoundError: There is no such address, or no such call any more.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §3.19, PUT /api/account_addresses/<id>; client code of 2014 only.
        """
        return (await self._caller.call(UPDATE_ADDRESS, path={"address_id": address_id}, body=dict(extra))).payload

    async def delete_addresses(
        self, address_ids: Sequence[int] | int = (), *, extra: Mapping[str, Any] | None = None
    ) -> Any:
        """Delete sender addresses for good.

        Args:
            address_ids: Which, sent as ``ids`` (assumed: the key is not known).
            extra: The body's keys in place of it, if you know better.

        Returns:
            The payload as it comes.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: they are gone after one send or two.
        Source: vendor page §3.19, POST /api/account_addresses/delete; client code of 2014 only.
        """
        body = body_of(extra, ids=ids(address_ids, "address_ids") or None)
        return (await self._caller.call(DELETE_ADDRESSES, body=body)).payload
