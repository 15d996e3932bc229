"""Custom aggregate activity reports. Source: vendor page §3.7."""

from ongage_async.emulator.families._report_jobs import routes

ROUTES = routes("aggregate_activity", "Aggregate activity", 70001, ["export"], has_rows=False)
