"""Replay seeds: `python -m tests.proofs.simulation [--calls 1000] SEED ...`, as a test that failed says."""

import argparse
import time

from tests.proofs.simulation import Scenario, simulate

parser = argparse.ArgumentParser(prog="python -m tests.proofs.simulation")
parser.add_argument("seeds", nargs="+", type=int)
parser.add_argument("--calls", type=int, default=1000, help="about how many calls a scenario takes")
given = parser.parse_args()
for seed in given.seeds:
    began = time.perf_counter()
    outcome = simulate(Scenario.from_seed(seed, given.calls))
    print(outcome, f"[{time.perf_counter() - began:.2f} s]")
