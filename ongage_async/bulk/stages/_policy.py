"""The policies of an S3 bucket that holds staged files: rules of JSON, no request, no network.

The vendor advises to let only its own addresses fetch (vendor page §4.5; they are in a DNS record that its support
names). `ongage s3-policy` prints what is made here.
"""

import ipaddress
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ongage_async.errors import ConfigurationError

__all__ = ["bucket_policy", "policy_text"]

_is_bucket = re.compile(r"(?!.*\.\.)(?!xn--)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]").fullmatch
_is_prefix = re.compile(r"[\w!.'()/=+@:, -]*", re.ASCII).fullmatch
PARTITIONS = ("aws", "aws-cn", "aws-us-gov")


def bucket_policy(bucket: str, cidrs: Iterable[str], *, prefix: str = "", partition: str = "aws") -> dict[str, Any]:
    """Return a bucket policy under which staged files are fetched over https and from given networks only.

    It denies, and grants nothing: a signed URL opens its file still, but only for clients of `cidrs`. Who uploads,
    signs and deletes needs permissions of its own (``s3:PutObject``, ``s3:GetObject``, ``s3:DeleteObject``,
    ``s3:AbortMultipartUpload``), and is not bound to these networks.

    Args:
        bucket: The bucket's name.
        cidrs: Networks or addresses that may fetch: the vendor's, ``203.0.113.0/24``.
        prefix: The part of the bucket that the policy is about, as in ``s3://bucket/prefix``; empty: all of it.
        partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.

    Returns:
        The policy; the same networks give the same policy, however they are ordered or split.

    Raises:
        ConfigurationError: A setting cannot be meant.
    """
    _check(bucket, prefix, partition)
    objects = "/".join(filter(None, [f"arn:{partition}:s3:::{bucket}", prefix.strip("/"), "*"]))
    elsewhere = {"NotIpAddress": {"aws:SourceIp": _networks(cidrs)}}
    unencrypted = {"Bool": {"aws:SecureTransport": "false"}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            _denial("FetchFromTheseNetworksOnly", ["s3:GetObject", "s3:GetObjectVersion"], objects, elsewhere),
            _denial("HttpsOnly", ["s3:*"], objects, unencrypted),
        ],
    }


def policy_text(policy: dict[str, Any]) -> str:
    """Return a policy as JSON, as the console and ``aws s3api put-bucket-policy`` take it."""
    return json.dumps(policy, indent=2)


def _denial(name: str, actions: Sequence[str], resource: str, condition: dict[str, Any]) -> dict[str, Any]:
    return {
        "Sid": name,
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(actions),
        "Resource": resource,
        "Condition": condition,
    }


def _check(bucket: str, prefix: str, partition: str) -> None:
    if _is_bucket(bucket) is None or _is_address(bucket):
        raise ConfigurationError(f'"{bucket}" cannot be the name of a bucket')
    if _is_prefix(prefix) is None:
        raise ConfigurationError(f'prefix="{prefix}" has a character that a policy reads as something else')
    if partition not in PARTITIONS:
        raise ConfigurationError(f'partition="{partition}" is unknown: {", ".join(PARTITIONS)}')


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _networks(cidrs: Iterable[str]) -> list[str]:
    try:
        found = {ipaddress.ip_network(text.strip()) for text in cidrs}
    except ValueError as error:
        raise ConfigurationError(f"cidr: {error}; give networks like 203.0.113.0/24") from None
    if not found:
        raise ConfigurationError("cidr: nobody could fetch: name the vendor's networks")
    if everyone := [str(network) for network in found if network.prefixlen == 0]:
        raise ConfigurationError(f"cidr: {everyone[0]} is everybody, so that the policy would protect nothing")
    four = [network for network in found if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in found if isinstance(network, ipaddress.IPv6Network)]
    return [str(network) for network in (*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six))]
