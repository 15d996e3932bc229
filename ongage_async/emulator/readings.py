"""What the vendor's pages leave open, one switch for each possible reading.

Here lives `Readings` and nothing else; every family asks it. Tests run under all values of a switch, so that a client
does not come to depend on the one that its author thought of. Sections are those of the project's vendor page.
"""

from typing import Literal

from attrs import define

__all__ = ["Readings"]


@define(kw_only=True)
class Readings:
    """Choose how the emulator behaves where the vendor's behaviour is unknown.

    Mutable: a test may flip a switch while the emulator serves.

    Args:
        window: How the minute of the call limit is cut: into calendar pieces, or sliding behind each call (§6.2 no. 3).
        eleventh: What a call above the parallel limit gets: a denial, an overload, or a place in a queue (§6.2 no. 3).
        denied_calls_count: Whether a denied call is itself counted against the minute.
        retry_after: Whether denials carry a ``Retry-After`` header, in whole seconds.
        error_status_200: Whether every error comes with HTTP status 200 and only the envelope says so (§1.4).
        status_40004: Where "Updating list stats" stands: before 40003; after it, 40003 coming back; or after it for
            good (§4.3).
        import_collection: What ``GET /api/import`` holds: an array, or an object when there is just one (§6.1 no. 6).
        import_single: Whether ``GET /api/import/<id>`` mixes types like the vendor's sample, or is all text like the
            collection.
        create_import_payload: What ``POST /api/import`` answers: the id alone, or the import (§6.2 no. 1).
        counters: Whether failed counts every kind of failure, or leaves duplicates out like the sample (§6.1 no. 9).
        invalid_row: Whether an invalid row of a batch fails alone or fails the batch with 412.
        unknown_fields: What happens to values whose names are no fields of the list.
        failed_emails: What stands in ``failed_emails``: reasons by address, a list of addresses, or nothing (§6.2
            no. 4).
        result_keys: Whether ``*_emails`` are keyed by the address as it was sent or as it is stored.
        cross_account: Shape of the cross-account payload: an array of contacts, or an object by list id (§6.2 no. 4).
        like: Which of ``_LIKE`` and ``LIKE_`` means "begins with": the first by the vendor's page, the second by other
            clients (§6.1 no. 2).
        report_keys: What computed columns of a report are called: by their alias, or by the whole expression (§6.1
            no. 14).
        email_mark_path: How the path that marks an email is spelled (§6.1 no. 17).
        suppression_flag: Which key of a send asks for the suppression lists: that of the newest pages, or that of older
            ones (§6.1 no. 12).
        job_rows: Whether ``/result`` of searches and activity reports is there, or gone as in the newest pages (§6.1
            no. 13).
        change_email_wait_s: How long one address may not be changed again; the vendor says both 900 and 887 (§2).
    """

    window: Literal["fixed", "sliding"] = "fixed"
    eleventh: Literal["429", "503", "queue"] = "429"
    denied_calls_count: bool = False
    retry_after: bool = False
    error_status_200: bool = False
    status_40004: Literal["before", "after", "after_for_good"] = "before"
    import_collection: Literal["array", "object"] = "array"
    import_single: Literal["mixed", "strings"] = "mixed"
    create_import_payload: Literal["id", "object"] = "id"
    counters: Literal["sum", "sample"] = "sum"
    invalid_row: Literal["row", "batch"] = "row"
    unknown_fields: Literal["ignored", "invalid"] = "ignored"
    failed_emails: Literal["reason", "list", "empty"] = "reason"
    result_keys: Literal["sent", "stored"] = "sent"
    cross_account: Literal["array", "object"] = "array"
    like: Literal["vendor", "clients"] = "vendor"
    report_keys: Literal["alias", "expression"] = "alias"
    email_mark_path: Literal["favourite", "favorite"] = "favourite"
    suppression_flag: Literal["check_global_and_list_suppression", "check_suppression"] = (
        "check_global_and_list_suppression"
    )
    job_rows: Literal["there", "gone"] = "there"
    change_email_wait_s: float = 900.0
