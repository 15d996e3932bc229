"""Contact counts: asked, and answered later; `total` is text, null until then. Source: vendor page §3.4."""

from ongage_async.emulator._answers import Answer, invalid
from ongage_async.emulator._call import Call
from ongage_async.emulator._criteria import CRITERIA, check, matching
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import COUNT, EMPTY, ID, NUMERAL, either, maybe, record
from ongage_async.emulator._shape import Shape, gives
from ongage_async.emulator.families._audience_jobs import contacts_of, found, live_segment, new_job

_VALIDATION_STATUS = 500  # this family's own (§6.1 no. 15)
_NAMES = {"Active": "active", "Bounced": "bounced", "Complaint": "complaint", "Unsubscribed": "unsubscribed"}


def create(call: Call) -> Answer:
    """Begin a count, of criteria or of a segment."""
    given = call.fields
    if given.get("segment_id") is not None:
        views = contacts_of(call, live_segment(call, given["segment_id"]))
    elif given.get("criteria"):
        rules = check(call.mailing_list, given["criteria"], status=_VALIDATION_STATUS)
        views = matching(call.mailing_list, rules, call.world.readings)
    else:
        raise invalid(errors={"criteria": "criteria must not be empty"}, status=_VALIDATION_STATUS)
    numbers = dict.fromkeys(_NAMES.values(), 0)
    for view in views:
        numbers[_NAMES[view["ocx_status"]]] += 1
    job = new_job(call, "count", 1112223334, numbers=numbers)
    call.state.audience.counts[job.id] = job
    return Answer({"id": job.id})


def get(call: Call) -> Answer:
    """Answer with the numbers, or with none yet (what that looks like is client code)."""
    job = found(call, call.state.audience.counts, "Contact count")
    if not job.is_ready(call.world.clock.now()):
        return Answer([], {"total": None})
    return Answer(dict(job.numbers), {"total": str(sum(job.numbers.values()))})


_NEW = either(record({"segment_id": ID}), record({"criteria": CRITERIA}, list_id=ID))
_NUMBERS = record(dict.fromkeys(_NAMES.values(), COUNT))
_CREATES = gives(record({"id": ID}), _VALIDATION_STATUS, takes=_NEW)
_GETS = Shape(answer=either(_NUMBERS, EMPTY), kind="page", total=maybe(NUMERAL))

ROUTES = (
    Route("contact_counts.create", "POST", "/api/contact_counts", create, _CREATES),
    Route("contact_counts.get", "GET", "/api/contact_counts/{id}", get, _GETS),
)
