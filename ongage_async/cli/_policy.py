"""``ongage s3-policy``: print the policy of a bucket that holds staged files."""

import sys
from collections.abc import Sequence

from ongage_async.bulk.stages._policy import bucket_policy, policy_text
from ongage_async.errors import ConfigurationError

__all__ = ["run_policy"]


def run_policy(bucket: str, cidrs: Sequence[str], *, prefix: str, partition: str) -> int:
    """Print the policy as JSON, and nothing else, to standard output; return the exit code."""
    try:
        policy = bucket_policy(bucket, cidrs, prefix=prefix, partition=partition)
    except ConfigurationError as error:
        sys.stderr.write(f"ongage s3-policy: {error}\n")
        return 2
    sys.stdout.write(f"{policy_text(policy)}\n")
    return 0
