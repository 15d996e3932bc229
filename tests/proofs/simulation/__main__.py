"""Replay seeds: `python -m tests.proofs.simulation 17 [18 ...]`."""

import sys
import time

from tests.proofs.simulation import Scenario, simulate

for word in sys.argv[1:]:
    began = time.perf_counter()
    outcome = simulate(Scenario.from_seed(int(word)))
    print(outcome, f"[{time.perf_counter() - began:.2f} s]")
