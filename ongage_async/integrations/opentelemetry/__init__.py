"""OpenTelemetry: a span for each call and each attempt, and the metrics of calls and of the account's budget.

    telemetry = OpenTelemetry()
    async with OngageClient(...) as ongage:
        telemetry.attach(ongage)

Needs the extra ``telemetry``, which is OpenTelemetry's API; what is done with spans and metrics is up to the SDK that
the program sets up. Names follow its semantic conventions for HTTP clients; what they have no word for begins with
``ongage.``. `docs/telemetry.md` lists all of it. OpenTelemetry is imported here and nowhere else.
"""

from ongage_async.integrations.opentelemetry._telemetry import Followed, OpenTelemetry

__all__ = ["Followed", "OpenTelemetry"]
