"""The machine that sends: bytes out, bytes in, over one connection per open call. No retry, no vendor knowledge.

At most `parallel` calls are open, because the governor sees to it; so each open call has a connection of its own
instead of fighting over a shared pool, and one that failed is thrown away with everything it may have broken.

There are two ways out. The short one is a connection of our own, h11 over a stream of the running loop
(`_connection.py`). The long one is an httpx client (`_httpx.py`): one of the caller's, or our own where only httpx
knows the way: through a proxy of the environment, or to whoever mocks, records or watches httpx. The engine calls
`Transport.send`, and nobody else does.
"""

import typing as _typing

from ongage_async import _lazy
from ongage_async._transport._ports import HTTPClient, Sink, WireResponse

if _typing.TYPE_CHECKING:
    from ongage_async._transport._transport import Transport
else:  # httpx, h11 and ssl are most of what there is to import: they come with the first client that is made
    __getattr__, __dir__ = _lazy.lazily(__name__, {"_transport": "Transport"})

__all__ = ["HTTPClient", "Sink", "Transport", "WireResponse"]
