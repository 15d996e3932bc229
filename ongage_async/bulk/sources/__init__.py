"""Read rows wherever they are: files, archives, the standard input, Python values, data frames."""
