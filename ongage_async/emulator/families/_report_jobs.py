"""Searches and activity reports: pending, then completed, with rows as JSON and CSV. Source: vendor page §3.5 to §3.7.

The three families differ by their name and by what they offer. Nobody is sent anything here, so behaviour is all zeros.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ongage_async.emulator._answers import Answer, Reply, invalid, missing, paged
from ongage_async.emulator._audience import COMPLETED, PENDING, Job, csv_of
from ongage_async.emulator._call import Call
from ongage_async.emulator._criteria import CRITERIA, check, matching
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import EMPTY, FLAG, ID, OBJECT, SOME_TEXT, TEXT, TIME, array_of, choice, record
from ongage_async.emulator._shape import gives, gives_file, pages
from ongage_async.emulator.families._audience_jobs import columns, file, finished, found, new_job

__all__ = ["routes"]

_BEHAVIOR = {"sent": 0, "opens": 0, "clicks": 0, "last_sent_date": None, "last_open_date": None}
_JOB = record({"id": ID, "list_id": ID, "title": TEXT, "status": ID, "status_desc": TEXT, "created": TIME})
_USERS = choice("all", "active", "nonactive", "unsubscribed", "bounced", "complaint")
_NEW = record(
    {"title": SOME_TEXT, "filters": record({"criteria": CRITERIA}, type=TEXT, user_type=_USERS)},
    selected_fields=array_of(choice("email", "first_name", "country", "product_id", "id", "ocx_status")),
    include_behavior=FLAG,
    combined_as_and=FLAG,
)
_CREATES = gives(record({"id": ID, "status": ID}), 412, takes=_NEW)
_DESCRIPTIONS = {PENDING: "Pending", COMPLETED: "Completed"}


def routes(name: str, noun: str, first: int, exports: Sequence[str], *, has_rows: bool) -> tuple[Route, ...]:
    """Return the routes of one family.

    Args:
        name: The family, as in its path.
        noun: What messages call one of its jobs.
        first: Its first id.
        exports: The last words of its CSV paths.
        has_rows: Whether there is ``/result``.
    """
    path = f"/api/{name}"
    made = [
        Route(f"{name}.page", "GET", path, partial(_page, name=name), pages(_JOB)),
        Route(f"{name}.create", "POST", path, partial(_create, name=name, first=first), _CREATES),
        Route(f"{name}.get", "GET", f"{path}/{{id}}", partial(_get, name=name, noun=noun), gives(_JOB)),
        Route(f"{name}.delete", "DELETE", f"{path}/{{id}}", partial(_delete, name=name, noun=noun), gives(EMPTY)),
    ]
    for word in exports:
        operation, export = f"{name}.{word.replace('export', 'download')}", partial(_export, name=name, noun=noun)
        made.append(Route(operation, "GET", f"{path}/{{id}}/{word}", export, gives_file("text/csv", 412)))
    if has_rows:
        result = partial(_result, name=name, noun=noun)
        made.append(Route(f"{name}.rows", "GET", f"{path}/{{id}}/result", result, pages(OBJECT, 412)))
    return tuple(made)


def _create(call: Call, name: str, first: int) -> Answer:
    """Begin a report."""
    call.required("title", "filters")
    call.of_kind(str, "title")
    filters = call.fields["filters"]
    if not isinstance(filters, dict):
        raise invalid(errors={"filters": "filters must be an object"})
    rules = check(call.mailing_list, filters.get("criteria"))
    user_type = str(filters.get("user_type") or "all")
    views = matching(call.mailing_list, rules, call.world.readings, user_type=user_type)
    names = _columns(call)
    rows = [_row(view, names) for view in views]
    job = new_job(call, name, first, rows=rows)
    call.state.audience.family(name)[job.id] = job
    return Answer({"id": job.id, "status": PENDING})


def _columns(call: Call) -> list[str]:
    names = columns(call, call.fields.get("selected_fields"))
    if not call.fields.get("selected_fields"):
        names += ["id", "ocx_status", "ocx_created_date"]
    return [*names, *(name for name in _BEHAVIOR if call.fields.get("include_behavior") and name not in names)]


def _row(view: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    full = {**_BEHAVIOR, **view, "ocx_contact_id": view["id"]}
    return {name: full.get(name) for name in names}


def _view(call: Call, job: Job) -> dict[str, Any]:
    status = job.status(call.world.clock.now())
    return {
        "id": job.id,
        "list_id": job.list_id,
        "title": job.asked["title"],
        "status": status,
        "status_desc": _DESCRIPTIONS.get(status, "Failed"),
        "created": job.created,
    }


def _page(call: Call, name: str) -> Answer:
    """Answer with a list's reports."""
    own = call.mailing_list.id
    jobs = (job for job in call.state.audience.family(name).values() if job.list_id == own)
    shown, total = paged([_view(call, job) for job in jobs], call.query)
    return Answer(shown, {"total": total})


def _get(call: Call, name: str, noun: str) -> Answer:
    """Answer with one report."""
    return Answer(_view(call, found(call, call.state.audience.family(name), noun)))


def _delete(call: Call, name: str, noun: str) -> Answer:
    """Delete a report."""
    jobs = call.state.audience.family(name)
    del jobs[found(call, jobs, noun).id]
    return Answer([])


def _result(call: Call, name: str, noun: str) -> Answer:
    """Answer with a page of a report's rows, as older pages of the vendor's have it."""
    if call.world.readings.job_rows == "gone":
        raise missing("The requested URL was not found on this server")
    job = finished(call, call.state.audience.family(name), noun)
    shown, total = paged(job.rows, call.query)
    return Answer(shown, {"total": total})


def _export(call: Call, name: str, noun: str) -> Reply:
    """Give a report as CSV."""
    job = finished(call, call.state.audience.family(name), noun)
    names = list(job.rows[0]) if job.rows else list(job.asked.get("selected_fields") or ["email"])
    return file(csv_of(job.rows, names), "text/csv; charset=utf-8")
