"""What the families that ask about contacts share: making a job, finding one, and giving its file."""

import json
from collections.abc import Mapping
from typing import Any

from ongage_async.emulator._answers import Reply, invalid, missing
from ongage_async.emulator._audience import Job
from ongage_async.emulator._call import Call, as_id
from ongage_async.emulator._criteria import matching

__all__ = ["columns", "contacts_of", "file", "finished", "found", "live_segment", "new_job"]


def new_job(call: Call, kind: str, first: int, **found: Any) -> Job:
    """Return a new job of the call's list, due when the audience says."""
    audience = call.state.audience
    return Job(
        id=call.state.next_id(kind, first),
        list_id=call.mailing_list.id,
        created=call.now,
        due_at=call.world.clock.now() + audience.ready_s,
        asked=call.fields,
        end=audience.end,
        **found,
    )


def found(call: Call, jobs: Mapping[int, Job], noun: str) -> Job:
    """Return the job that the path names.

    Raises:
        Refusal: 404.
    """
    job = jobs.get(as_id(call.parameters["id"]))
    if job is None:
        raise missing(f"Unauthorized / {noun} not found")
    return job


def finished(call: Call, jobs: Mapping[int, Job], noun: str) -> Job:
    """Return a job that has its answer.

    Raises:
        Refusal: 404, or 412 while it is not finished.
    """
    job = found(call, jobs, noun)
    if not job.is_ready(call.world.clock.now()):
        raise invalid(f"{noun} is not finished yet")
    return job


def file(body: bytes, kind: str) -> Reply:
    """Return a file as an answer, without an envelope."""
    return Reply(200, body, ((b"content-type", kind.encode()),))


def columns(call: Call, selected: Any) -> list[str]:
    """Return the columns of a result: those selected, else all fields of the list.

    Raises:
        Refusal: 412, they are not names.
    """
    if selected and not (isinstance(selected, list) and all(isinstance(each, str) for each in selected)):
        raise invalid(errors={"fields": "the selected fields must be an array of names"})
    return list(selected) if selected else [own.name for own in call.mailing_list.fields]


def live_segment(call: Call, segment_id: Any) -> dict[str, Any]:
    """Return a segment that is not deleted.

    Raises:
        Refusal: 404.
    """
    found = call.state.audience.segments.get(as_id(segment_id))
    if found is None or found["deleted"] != "0":
        raise missing("Unauthorized / Segment not found")
    return found


def contacts_of(call: Call, segment: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the contact objects of a segment."""
    own_list = call.live_list(segment["list_id"])
    if segment["is_external"] == "1":
        views = (own_list.contact(email) for email in call.state.audience.recipients.get(int(segment["id"]), ()))
        return [view for view in views if view is not None]
    rules = [{**rule, "operand": json.loads(rule["operand"])} for rule in segment["rules"]]
    return matching(own_list, rules, call.world.readings)
