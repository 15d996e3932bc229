"""Sort the rows of a source into clean parts, a side file and duplicates."""
