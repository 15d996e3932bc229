"""Fixtures of the ledgers' exam."""

import importlib
from pathlib import Path

import pytest

from tests.ledgers.exam import LEDGERS, Exam, HandClock

for _room in sorted(Path(__file__).parent.glob("*_exam.py")):
    importlib.import_module(f"tests.ledgers.{_room.stem}")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=sorted(LEDGERS))
def exam(request: pytest.FixtureRequest) -> Exam:
    """Every ledger that is entered."""
    return LEDGERS[request.param]
