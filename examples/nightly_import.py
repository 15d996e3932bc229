"""A nightly import: one CSV file into a list, every row accounted for, exit status 1 if anything is amiss.

Run it with the path of a CSV file, and the same variables as `signup.py`. In production, name the public address of
the file drop (``FileDrop.serve("0.0.0.0", 8080, "https://files.example.com", allow=[...])``).
"""

import asyncio
import sys

from ongage_async import ImportFailedError, Lane, OngageClient
from ongage_async.bulk import FileDrop, Progress


def show(step: Progress) -> None:
    total = "" if step.total is None else f" of {step.total:,.0f}"
    print(f"{step.phase:>8} {step.done:,.0f}{total} {step.unit}", file=sys.stderr)


async def main(path: str) -> int:
    async with OngageClient.from_env() as ongage, FileDrop.serve() as drop:
        nightly = ongage.with_options(lane=Lane.BULK)
        try:
            report = await nightly.imports.run(path, stage=drop, progress=show)
        except ImportFailedError as error:
            print(error, *error.__notes__, sep="\n")
            return 1
    print(report.as_text())
    return 0 if report.adds_up else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
