"""Where the library meets others.

Each module here joins it to one other library, needs that library's extra, and is imported by whoever uses it, never by
the rest of the house.
"""
