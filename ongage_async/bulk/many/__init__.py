"""Send rows by calls of some dozens: streams with an outcome for each row, and shared calls of many tasks."""
