"""An emulator of the Ongage API: a real HTTP server, true where it matters, for tests without an account.

It shares no code with the client, so that a misreading of the vendor has to be made twice to go unseen. Start it with
``async with Emulator() as emulator``, with the pytest fixture ``ongage_emulator``, or from a shell with
``python -m ongage_async.emulator``. Time that jumps is in `ongage_async.emulator.virtual_time`.
"""

from ongage_async.emulator._credentials import Credentials
from ongage_async.emulator._emulator import Emulator
from ongage_async.emulator._import_job import Step
from ongage_async.emulator._witness import Sighting, Witness, worst_overlap, worst_window
from ongage_async.emulator.faults import Fault, FaultRule, Faults
from ongage_async.emulator.readings import Readings

__all__ = [
    "Credentials",
    "Emulator",
    "Fault",
    "FaultRule",
    "Faults",
    "Readings",
    "Sighting",
    "Step",
    "Witness",
    "worst_overlap",
    "worst_window",
]
