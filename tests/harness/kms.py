"""A KMS to test against: moto's server, a process of its own on the loopback that speaks AWS's protocol."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from tests.harness import processes


@dataclass
class Kms:
    """`environment` is what AWS's client libraries read; `client` administers it."""

    environment: dict[str, str]
    client: Any
    process: subprocess.Popen[bytes]

    def new_key(self) -> str:
        """The ARN of a fresh key."""
        arn: str = self.client.create_key()["KeyMetadata"]["Arn"]
        return arn

    def new_signing_key(self, spec: str = "ECC_NIST_P256") -> str:
        """The same of a key pair."""
        made = self.client.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
        arn: str = made["KeyMetadata"]["Arn"]
        return arn


@contextmanager
def server() -> Iterator[Kms]:
    port = processes.free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=processes.die_with_parent,
        env={**os.environ, "MOTO_ALLOW_NONEXISTENT_REGION": "1"},
    )  # fmt: skip
    try:
        processes.until_it_answers(process, f"{url}/moto-api/data.json")
        environment = {
            "AWS_ACCESS_KEY_ID": "for-tests",
            "AWS_SECRET_ACCESS_KEY": "for-tests",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL_KMS": url,
        }
        client = boto3.client("kms", endpoint_url=url, region_name="eu-central-1", aws_access_key_id="for-tests",
                              aws_secret_access_key="for-tests")  # fmt: skip
        yield Kms(environment, client, process)
    finally:
        processes.stop(process)
