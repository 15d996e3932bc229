"""FastAPI: the account's client opened with the app, given to requests, its errors answered, its budget shown.

    ongage = Ongage()
    app = FastAPI(lifespan=ongage.lifespan)
    handle_errors(app)
    app.include_router(ongage.routes("/ongage"))

Needs the extra ``fastapi``. FastAPI and Starlette are imported here and nowhere else.
"""

from ongage_async.integrations.fastapi._account import Joined, Ongage
from ongage_async.integrations.fastapi._answers import Problem, handle_errors, problem_of
from ongage_async.integrations.fastapi._gone import CancelWhenGone
from ongage_async.integrations.fastapi._later import AcceptedLater, Handle, or_later
from ongage_async.integrations.fastapi._views import View

__all__ = [
    "AcceptedLater",
    "CancelWhenGone",
    "Handle",
    "Joined",
    "Ongage",
    "Problem",
    "View",
    "handle_errors",
    "or_later",
    "problem_of",
]
