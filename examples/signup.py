"""A sign-up handler: a person waits, so the call goes first and never waits long.

Run it with ONGAGE_USERNAME, ONGAGE_PASSWORD and ONGAGE_ACCOUNT_CODE (or ONGAGE_API_KEY) set; ONGAGE_BASE_URL may point
to an emulator (`ongage emulator` prints what to set).
"""

import asyncio

from ongage_async import BudgetError, Lane, OngageClient, OngageError, Outcome
from ongage_async.models import RowKind


async def sign_up(ongage: OngageClient, email: str, name: str) -> str:
    """Add one person and return what to show."""
    urgent = ongage.with_options(lane=Lane.URGENT, max_wait_s=2.0)
    try:
        report = await urgent.contacts.create([{"email": email, "first_name": name}], overwrite=True)
    except BudgetError as error:
        return f"Busy: come again in {error.retry_after_s:.0f} s."
    except OngageError as error:
        return "We will try again." if error.outcome is Outcome.UNKNOWN else "Please check the address."
    match report.outcomes[0].kind:
        case RowKind.CREATED | RowKind.REVIVED:
            return f"Welcome, {name}!"
        case RowKind.UPDATED | RowKind.SUCCEEDED:
            return f"Welcome back, {name}!"
        case _:
            return "Please check the address."


async def main() -> None:
    async with OngageClient.from_env() as ongage:
        for email in ("ada@example.com", "ada@example.com", "no address"):
            print(await sign_up(ongage, email, "Ada"))


if __name__ == "__main__":
    asyncio.run(main())
