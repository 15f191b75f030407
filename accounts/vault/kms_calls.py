"""Asking AWS KMS: bounded in time, and by one thread while it is away.

Region, credentials and endpoint are AWS's own variables. boto3 is an optional extra (`requirements-aws.txt`), imported
when the first client is made.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from django.core.exceptions import ImproperlyConfigured


class KmsUnavailable(Exception):
    """KMS gave nothing; the message says why and holds no secret."""


class KmsRefused(KmsUnavailable):
    """KMS answered, and it was no; `code` is its error code."""

    def __init__(self, code: str) -> None:
        super().__init__(f"KMS refuses: {code[:64]}")
        self.code = code


class Kms:
    """`kms("sign", KeyId=...)` is one call. Once KMS could not be reached, one thread asks again and the others fail at
    once until it answers: each waits for seconds, and together they would hold every thread there is."""

    def __init__(self, setting: str) -> None:
        """`setting` is what asked for KMS, for the message where boto3 is missing or not configured."""
        self._client, self._errors = _client(setting)
        self._away = False
        self._asking_again = Lock()

    def __call__(self, operation: str, **arguments: Any) -> Any:
        """What KMS says. Raises `KmsRefused` and `KmsUnavailable`."""
        alone = self._away
        if alone and not self._asking_again.acquire(blocking=False):
            raise KmsUnavailable("KMS cannot be asked: it did not answer a moment ago")
        try:
            answer = getattr(self._client, operation)(**arguments)
        except self._errors.ClientError as error:
            self._away = False
            raise KmsRefused(error.response.get("Error", {}).get("Code", "")) from None
        except self._errors.BotoCoreError as error:
            self._away = True
            raise KmsUnavailable(f"KMS cannot be asked: {type(error).__name__}") from None
        finally:
            if alone:
                self._asking_again.release()
        self._away = False
        return answer


def _client(setting: str) -> tuple[Any, Any]:
    """boto3's KMS client and the exceptions it raises."""
    try:
        import boto3
        from botocore import exceptions
        from botocore.config import Config
    except ImportError:
        raise ImproperlyConfigured(f"{setting}=aws-kms needs boto3: install requirements-aws.txt") from None
    config = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})
    try:
        return boto3.client("kms", config=config), exceptions
    except exceptions.BotoCoreError as error:
        raise ImproperlyConfigured(f"{setting}=aws-kms: {error}") from None
