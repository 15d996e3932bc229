"""The example application under the limits that a proof gives it; run by `fleet.py` in each worker."""

import os

from webapp.app import app, ongage

from ongage_async import Limits, OngageClient

__all__ = ["app"]

calls, per_s, parallel = os.environ["PROOF_LIMITS"].split()
limits = Limits(int(calls), float(per_s), int(parallel))
ongage._make = lambda: OngageClient.from_env(limits=limits, timeout_s=10.0)
