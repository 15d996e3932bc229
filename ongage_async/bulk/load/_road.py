"""Say by which road a load goes: imports that the vendor fetches, or calls of up to a hundred contacts. Pure.

`_plan.py` tells it, `_run.py` takes it.
"""

from typing import Literal

from ongage_async.bulk.load._forecast import CONTACTS_PER_CALL
from ongage_async.bulk.load._prepare import Order
from ongage_async.errors import ConfigurationError

__all__ = ["CALLS", "IMPORT", "choose_road", "refuse_what_calls_cannot"]

CALLS: Literal["calls"] = "calls"
IMPORT: Literal["import"] = "import"


def choose_road(order: Order, rows: int) -> tuple[Literal["none", "calls", "import"], str]:
    """Return the road that suits a load, and why.

    Args:
        order: What is asked for.
        rows: Its good rows.

    Source: vendor page §2: above about 100 contacts, import.
    """
    if not rows:
        return "none", "there is no good row"
    if rows > CONTACTS_PER_CALL:
        why = f"above about {CONTACTS_PER_CALL} contacts the vendor advises to import, and it costs fewer calls"
        return IMPORT, why
    if only := _only_imports(order):
        return IMPORT, f"only an import can do it: {only}"
    return CALLS, f"one call takes up to {CONTACTS_PER_CALL} contacts, and each row gets its own outcome"


def refuse_what_calls_cannot(order: Order) -> None:
    """Refuse a load by calls that asks for what only an import does.

    Raises:
        ConfigurationError: It does; the message says what.
    """
    if only := _only_imports(order):
        raise ConfigurationError(f'road="calls" does not fit: {only}. Take road="import"')


def _only_imports(order: Order) -> str:
    if order.import_action != "add":
        return f'import_action="{order.import_action}" is an import\'s'
    if not order.overwrite:
        return "overwrite=False: calls overwrite, else they could not be repeated after a lost answer"
    if order.ignore_empty:
        return "ignore_empty=True: in a call an empty cell empties its field"
    return "packing= asks for archives" if order.packing.zip else ""
