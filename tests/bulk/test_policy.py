"""The bucket policy: what it denies, to whom, and that the same settings give the same text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async.bulk.stages._policy import bucket_policy, policy_text
from ongage_async.cli._policy import run_policy
from ongage_async.errors import ConfigurationError


def test_it_is_this_text():
    assert (
        policy_text(bucket_policy("acme-ongage", ["203.0.113.0/24", "2001:db8::/32"], prefix="nightly/"))
        == """\
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "FetchFromTheseNetworksOnly",
      "Effect": "Deny",
      "Principal": "*",
      "Action": [
        "s3:GetObject",
        "s3:GetObjectVersion"
      ],
      "Resource": "arn:aws:s3:::acme-ongage/nightly/*",
      "Condition": {
        "NotIpAddress": {
          "aws:SourceIp": [
            "203.0.113.0/24",
            "2001:db8::/32"
          ]
        }
      }
    },
    {
      "Sid": "HttpsOnly",
      "Effect": "Deny",
      "Principal": "*",
      "Action": [
        "s3:*"
      ],
      "Resource": "arn:aws:s3:::acme-ongage/nightly/*",
      "Condition": {
        "Bool": {
          "aws:SecureTransport": "false"
        }
      }
    }
  ]
}"""
    )


def test_without_a_prefix_it_is_about_the_whole_bucket_and_elsewhere_in_the_world_about_that():
    (fetches, _) = bucket_policy("acme", ["203.0.113.7"], partition="aws-cn")["Statement"]
    assert fetches["Resource"] == "arn:aws-cn:s3:::acme/*"
    assert fetches["Condition"]["NotIpAddress"]["aws:SourceIp"] == ["203.0.113.7/32"]


@given(st.permutations(["203.0.113.0/25", "203.0.113.128/25", "198.51.100.7", "2001:db8::/33", "2001:db8:8000::/33"]))
def test_the_order_and_the_cut_of_the_networks_do_not_show(cidrs: list[str]):
    expected = bucket_policy("acme", ["2001:db8::/32", "198.51.100.7/32", "203.0.113.0/24", "203.0.113.5"])
    assert bucket_policy("acme", cidrs) == expected


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cidrs": []}, "nobody could fetch"),
        ({"cidrs": ["ten"]}, "give networks like"),
        ({"cidrs": ["203.0.113.7/24"]}, "has host bits set"),
        ({"cidrs": ["0.0.0.0/0"]}, "everybody"),
        ({"cidrs": ["203.0.113.0/24", "::/0"]}, "everybody"),
        ({"bucket": "Acme"}, "name of a bucket"),
        ({"bucket": "a"}, "name of a bucket"),
        ({"bucket": "acme/*"}, "name of a bucket"),
        ({"bucket": "192.0.2.1"}, "name of a bucket"),
        ({"prefix": "in/*"}, "reads as something else"),
        ({"prefix": "in/${aws:username}"}, "reads as something else"),
        ({"partition": "azure"}, "is unknown"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], words: str):
    with pytest.raises(ConfigurationError, match=words):
        bucket_policy(**{"bucket": "acme", "cidrs": ["203.0.113.0/24"]} | settings)


def test_the_command_prints_json_and_nothing_else(capsys: pytest.CaptureFixture[str]):
    assert run_policy("acme", ["203.0.113.0/24"], prefix="in", partition="aws") == 0
    assert json.loads(capsys.readouterr().out) == bucket_policy("acme", ["203.0.113.0/24"], prefix="in")
    assert run_policy("acme", ["ten"], prefix="", partition="aws") == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.startswith("ongage: cidr: 'ten'")) == ("", True)


def test_the_command_line_takes_networks_one_by_one(capsys: pytest.CaptureFixture[str]):
    from ongage_async.cli._app import app

    with pytest.raises(SystemExit) as ended:
        app(
            ["s3-policy", "--bucket", "acme", "--cidr", "203.0.113.0/24", "--cidr", "198.51.100.0/24", "--prefix", "in"]
        )
    assert ended.value.code == 0
    expected = bucket_policy("acme", ["203.0.113.0/24", "198.51.100.0/24"], prefix="in")
    assert json.loads(capsys.readouterr().out) == expected
