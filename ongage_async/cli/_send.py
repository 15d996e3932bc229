"""``ongage send``: a transactional message to one person or to a file of them. Nothing uncertain is sent twice.

It asks before it sends. Unlike the vendor, it spares people who unsubscribed or are suppressed, unless told otherwise.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from cyclopts import Parameter, validators

from ongage_async.cli import _output
from ongage_async.cli._account import AS_SET, Account
from ongage_async.cli._ending import Exit, UsageError, carried_out

if TYPE_CHECKING:
    from ongage_async.cli._send_record import SendRecord

__all__ = ["send"]


def send(
    message_id: int,
    /,
    *recipients: str,
    source: Annotated[str | None, Parameter(name="--from", allow_leading_hyphen=True)] = None,
    campaign: int | None = None,
    connection: int | None = None,
    field: Annotated[list[str] | None, Parameter(negative="")] = None,
    check_status: bool = True,
    check_suppression: bool = True,
    record: Path | None = None,
    per_call: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=500))] = 100,
    yes: Annotated[bool, Parameter(negative="")] = False,
    account: Account = AS_SET,
) -> int:
    """SEND a transactional message; it cannot be called back, so it asks first. Never repeated when uncertain.

    Parameters
    ----------
    message_id:
        An email or SMS message.
    recipients:
        Addresses.
    source:
        A file with an address a line, or a CSV file with an email column; `-` reads the standard input.
    campaign:
        Transactional campaign to count it under; the list's default one if left out.
    connection:
        Sending connection.
    field:
        A dynamic field of the message, as in --field code=1234. Repeat it for each.
    check_status:
        Spare contacts that are not active.
    check_suppression:
        Heed the suppression lists.
    record:
        Where each recipient is written down before the call goes out; beside the file if left out. After a stop the
        same command goes on, and sends to nobody twice.
    per_call:
        Recipients per call, of a file.
    yes:
        Do not ask. Where nobody can be asked, nothing is sent without it.
    """
    kept = record or (Path(f"{source}.ongage-sent-{message_id}") if source not in (None, "-") else None)
    state: dict[str, Any] = {"counts": Counter()}

    options: dict[str, Any] = {
        "check_status": check_status,
        "check_global_and_list_suppression": check_suppression,
        **({} if campaign is None else {"campaign_id": campaign}),
        **({} if connection is None else {"sending_connection_id": connection}),
    }

    def work() -> int:
        if field:
            options["message_dynamic_fields"] = _dynamic(field)
        whom = _whom(recipients, source, kept, message_id, yes=yes)
        return Exit.FAILED if whom is None else anyio.run(sending, whom)

    async def sending(whom: Iterator[str]) -> int:
        with _recorded(kept, message_id) as own:
            state["is_open"] = True
            async with account.opened() as ongage:
                await _send_all(ongage, message_id, whom, per_call, options, own, state["counts"], account)
        return _tell(state["counts"], own, account, are_spared=check_status or check_suppression)

    return carried_out(work, debug=account.debug, goes_on=lambda: _how_to_go_on(state, kept))


def _whom(
    recipients: tuple[str, ...], source: str | None, kept: Path | None, message_id: int, *, yes: bool
) -> Iterator[str] | None:
    """Return who is sent to, once it may be; None if a person says no."""
    from ongage_async.cli._consent import ask
    from ongage_async.cli._recipients import STDIN, addresses

    if not recipients and source is None:
        raise UsageError("name a recipient, or a file with --from; --from - reads the standard input")
    can_be_counted = source is None or Path(source).is_file()
    count = f"{sum(1 for _ in addresses(recipients, source)):,}" if can_be_counted else "all"
    again = " (those of its record are left out)" if kept is not None and kept.exists() else ""
    question = f"SEND message {message_id} to {count} recipient{'s' if count != '1' else ''}{again}?"
    if not ask(question, yes=yes, stdin_is_used=source == STDIN):
        return None
    return addresses(recipients, source)


def _recorded(kept: Path | None, message_id: int) -> Any:
    if kept is None:
        return nullcontext()
    from ongage_async.cli._send_record import SendRecord

    return SendRecord(kept, message_id)


async def _send_all(
    ongage: Any,
    message_id: int,
    whom: Iterator[str],
    per_call: int,
    options: dict[str, Any],
    record: "SendRecord | None",
    counts: "Counter[str]",
    account: Account,
) -> None:
    from ongage_async.cli._progress import kept_told
    from ongage_async.errors import OngageError, Outcome

    begun = whom if record is None else record.begin(whom)
    async with kept_told(lambda: _in_words(counts) or "nothing sent yet", quiet=account.json):
        try:
            async for chunk in ongage.transactional.send_many(message_id, begun, per_call=per_call, **options):
                outcomes = chunk.outcomes
                if record is not None:
                    record.settle((each.recipient, each.kind.value) for each in outcomes)
                counts.update(each.kind.value for each in outcomes)
                if account.json:
                    for each in outcomes:
                        _output.line({"recipient": each.recipient, "kind": each.kind, "reason": each.reason})
        except OngageError as error:
            if error.outcome is not Outcome.UNKNOWN and record is not None:
                record.take_back()
            raise


def _in_words(counts: "Counter[str]") -> str:
    return ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in counts.items())


def _tell(counts: "Counter[str]", record: "SendRecord | None", account: Account, *, are_spared: bool) -> int:
    left_out = 0 if record is None else record.left_out
    if not account.json:
        again = f"; {left_out:,} left out, since the record {record.path} has them" if record and left_out else ""
        _output.say(f"{_in_words(counts) or 'Nobody left to send to'}{again}.")
        if counts["rejected"] and are_spared:
            _output.say(
                "People who are not active, not in the list or suppressed are spared; --no-check-status and "
                "--no-check-suppression send to them all the same."
            )
        if counts["unknown"]:
            _output.say("Unknown means that it may have been sent: look before you send to them again.")
    return Exit.OK if not counts or set(counts) == {"sent"} else Exit.FAILED


def _how_to_go_on(state: dict[str, Any], kept: Path | None) -> str:
    if "is_open" not in state:
        return "Nothing was sent."
    far = f"So far: {_in_words(state['counts']) or 'no call was answered'}."
    if kept is None:
        return f"{far} The call that was open may have been carried out: look before you send again."
    return (
        f"{far} Run the same command again: it goes on with those who are not in {kept}. Those whom it calls begun "
        "may have been sent to."
    )


def _dynamic(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise UsageError("--field takes name=value, as in --field code=1234")
        found[name] = text
    return found
