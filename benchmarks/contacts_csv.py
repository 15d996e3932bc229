"""A file to measure bulk loading with: five columns, one address of a hundred twice, some rows bad on demand."""

import csv
import random
from pathlib import Path

__all__ = ["write_contacts"]

FIRST = ("Ann", "Bob", "Zoë", "Cid", "Mary Jane", "Dan", "Eve")


def write_contacts(folder: Path, rows: int, *, bad: int = 0) -> Path:
    """Write so many rows, of which the first `bad` have no address."""
    path, chance = folder / f"contacts-{rows}-{bad}.csv", random.Random(rows)
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["email", "first_name", "age", "birthday", "city"])
        for number in range(rows):
            who = number if number % 100 else number // 2
            day = f"{chance.randint(1, 28):02}/{chance.randint(1, 12):02}/{chance.randint(1940, 2009)}"
            email = f"user{who}.x@example{who % 97}.com" if number >= bad else f"user{who}.x at example.com"
            writer.writerow([email, FIRST[number % 7], who % 99, day, f"City {who % 500}"])
    return path
