"""Contact activity reports; the detailed file is the aggregated one here. Source: vendor page §3.6."""

from ongage_async.emulator.families._report_jobs import routes

ROUTES = routes("contact_activity", "Contact activity", 60001, ["export", "export_detailed"], has_rows=True)
