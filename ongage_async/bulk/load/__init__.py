"""Load a source by imports: plan, run, journal, resume, report."""
