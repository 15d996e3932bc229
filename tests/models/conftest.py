"""The vendor's sample bodies, for all tests of models."""

from types import ModuleType

import pytest

from . import samples as vendor_samples


@pytest.fixture
def samples() -> ModuleType:
    return vendor_samples
