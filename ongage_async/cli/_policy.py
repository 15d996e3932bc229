"""``ongage s3-policy``: print the policy of a bucket that holds staged files."""

from collections.abc import Sequence

from ongage_async.bulk.stages._policy import bucket_policy, policy_text
from ongage_async.cli import _output
from ongage_async.cli._ending import Exit, complain
from ongage_async.errors import ConfigurationError

__all__ = ["run_policy"]


def run_policy(bucket: str, cidrs: Sequence[str], *, prefix: str, partition: str) -> int:
    """Print the policy as JSON, and nothing else, to standard output; return the exit code."""
    try:
        policy = bucket_policy(bucket, cidrs, prefix=prefix, partition=partition)
    except ConfigurationError as error:
        return complain(str(error), Exit.USAGE)
    _output.say(policy_text(policy))
    return Exit.OK
