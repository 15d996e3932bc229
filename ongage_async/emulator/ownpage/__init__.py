"""An emulator of Ownpage, the second vendor: a real HTTP server next to the Ongage emulator, of the same machinery.

It shares no code with the client. Start it with ``async with OwnpageEmulator() as emulator`` (or ``with``). Source:
vendor page §5.
"""

from ongage_async.emulator.ownpage._emulator import OwnpageEmulator
from ongage_async.emulator.ownpage._office import OwnpageCustomer
from ongage_async.emulator.ownpage.readings import OwnpageReadings

__all__ = ["OwnpageCustomer", "OwnpageEmulator", "OwnpageReadings"]
