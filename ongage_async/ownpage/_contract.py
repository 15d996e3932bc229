"""What Ownpage wants of a file: which columns, named how, with which values. Pure.

Source: vendor page §5 and seed S4: ``email`` (mandatory), ``subscribed``, ``unsubscribed_cause``, ``guid``, ``data_*``.
`bulk/check/_clean.py` runs the plan made here over the rows.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from attrs import evolve

from ongage_async.bulk._fields import ColumnPlan, FieldRule, Rewrite, Test, plan_columns
from ongage_async.errors import ConfigurationError, CSVError
from ongage_async.models.ownpage import DATA

__all__ = ["UnknownColumns", "plan_file"]

UnknownColumns = Literal["drop", "refuse", "data"]

_FLAGS = {
    **dict.fromkeys(("true", "1", "yes", "oui"), "true"),
    **dict.fromkeys(("false", "0", "no", "non"), "false"),
}
_CAUSES = ("READER", "PUBLISHER")
_is_attribute = re.compile(r"data_\w+", re.ASCII).fullmatch
"""*Assumed*: the vendor shows ``data_firstname`` and names no rule."""

_RULES = (FieldRule("subscribed"), FieldRule("unsubscribed_cause"), FieldRule("guid"))

# An invalid `subscribed` leaves a known address as it is and *subscribes* a new one: a "nope" must never get there.
_TESTS: Mapping[str, tuple[Test, str]] = {
    "subscribed": (lambda value: value.lower() in _FLAGS, "subscribed: not true or false"),
    "unsubscribed_cause": (lambda value: value.upper() in _CAUSES, "unsubscribed_cause: not READER or PUBLISHER"),
    "guid": (bool, "guid: empty"),  # finds nothing; but what is tested is no free text, and keeps its first "="
}
_REWRITES: Mapping[str, Rewrite] = {
    "subscribed": lambda value: _FLAGS.get(value.lower(), value),
    "unsubscribed_cause": str.upper,
}


def plan_file(
    header: Sequence[str],
    *,
    mapping: Mapping[str, str | None] | None = None,
    unknown: UnknownColumns = "drop",
) -> ColumnPlan:
    """Match the columns of a file with the vendor's.

    Args:
        header: The file's column names.
        mapping: Column name → the vendor's name (``subscribed``, ``data_city``), None to leave a column out.
        unknown: What to do about other columns: ``drop`` them, ``refuse`` the file, or send them as ``data_…`` under
            their own names.

    Raises:
        CSVError: No header, no or two email columns, a name twice, an unknown column under ``refuse``, an attribute
            whose name cannot travel.
        ConfigurationError: `mapping` names a column that is not there, or a name that the vendor does not know.
    """
    own = dict(mapping or {})
    _refuse_targets(own)
    names = [name.strip() for name in header]
    attributes = [*(_attribute(name) for name in names if _is_data(name) and name not in own), *own.values()]
    plan = _matched(header, attributes, own, "drop" if unknown == "data" else unknown)
    if unknown == "data" and plan.unknown:
        renamed = {name: _slug(name) for name in plan.unknown if name in names}
        plan = _matched(header, [*attributes, *renamed.values()], own | renamed, "drop")
    sent = {name: index for index, name in plan.sent}
    return evolve(
        plan,
        tests=tuple((sent[name], *test) for name, test in _TESTS.items() if name in sent),
        rewrites=tuple((sent[name], rewrite) for name, rewrite in _REWRITES.items() if name in sent),
    )


def _matched(
    header: Sequence[str],
    attributes: Sequence[str | None],
    mapping: Mapping[str, str | None],
    unknown: Literal["drop", "refuse"],
) -> ColumnPlan:
    wanted = {name for name in attributes if name is not None and _is_data(name)}
    for name in sorted(wanted):
        if not _is_attribute(name):
            raise CSVError(
                f'"{name}" cannot be the name of an attribute: letters, digits and _ only; rename it with mapping=',
                row=1,
                column=name,
                reason="bad attribute name",
            )
    rules = (*_RULES, *(FieldRule(name) for name in sorted(wanted)))
    return plan_columns(header, rules, mapping=mapping, unknown=unknown)


def _refuse_targets(mapping: Mapping[str, str | None]) -> None:
    known = {"email", *(rule.name for rule in _RULES)}
    for target in mapping.values():
        if target is not None and target not in known and not _is_data(target):
            raise ConfigurationError(
                f'mapping: Ownpage has no column "{target}"; it has {", ".join(sorted(known))} and data_…'
            )


def _is_data(name: str) -> bool:
    return name[: len(DATA)].casefold() == DATA and len(name) > len(DATA)


def _attribute(name: str) -> str:
    return DATA + name[len(DATA) :]


def _slug(name: str) -> str:
    """Return the attribute that an unknown column becomes: ``First name`` → ``data_first_name``."""
    return DATA + (re.sub(r"\W+", "_", name.casefold(), flags=re.ASCII).strip("_") or "column")
