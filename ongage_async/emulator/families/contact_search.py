"""Contact searches. Source: vendor page §3.5."""

from ongage_async.emulator.families._report_jobs import routes

ROUTES = routes("contact_search", "Contact search", 50001, ["export"], has_rows=True)
