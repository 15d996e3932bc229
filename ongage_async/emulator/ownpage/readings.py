"""What Ownpage's pages leave open, one switch for each possible reading; tests run under all of them."""

from typing import Literal

from attrs import define

__all__ = ["OwnpageReadings"]


@define(kw_only=True)
class OwnpageReadings:
    """Choose how the emulator behaves where the vendor's behaviour is unknown (vendor page §5).

    Args:
        file_fetch: When a file is fetched: before the answer, which then has its size as in the sample, or after it.
        bad_rows: What an address that is none does to a call of subscribers: it is told in ``errors``, or the call is
            refused with 400 as in the sample of a deletion.
        errors: What ``errors`` holds: sentences, objects, or a number.
        delete_all: What the deletion of all answers: a sentence, or nothing with 204.
        missing_list: The status for a list that is not there.
        search: Whether ``search`` looks into addresses alone, or into guids too.
        stored_email: Whether addresses are stored as sent or in lower case.
    """

    file_fetch: Literal["at_once", "later"] = "at_once"
    bad_rows: Literal["told", "refused"] = "told"
    errors: Literal["sentences", "objects", "number"] = "sentences"
    delete_all: Literal["sentence", "empty"] = "sentence"
    missing_list: Literal[400, 404] = 404
    search: Literal["email", "email_and_guid"] = "email"
    stored_email: Literal["as_sent", "lower"] = "as_sent"
