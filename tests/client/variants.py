"""Every reading of the vendor's silence that concerns a family: the default, and each other one alone."""

from typing import Any

import pytest

from ongage_async.emulator import Readings


def variants(**others: list[Any]) -> list[Any]:
    """Return parameters for a `readings` fixture.

    Args:
        others: Switch name → its values beside the default.
    """
    alone = [{name: value} for name, values in others.items() for value in values]
    return [
        pytest.param({}, id="default"),
        *(pytest.param(switch, id="-".join(f"{name}={value}" for name, value in switch.items())) for switch in alone),
    ]


def readings_of(request: pytest.FixtureRequest) -> Readings:
    return Readings(**request.param)
