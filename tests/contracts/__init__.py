"""One class a seam, one subclass a backend: whatever stands behind a seam answers the same."""

import pytest

pytest.register_assert_rewrite(
    "tests.contracts.credentials",
    "tests.contracts.races",
    "tests.contracts.revocations",
    "tests.contracts.sealing",
    "tests.contracts.sessions",
    "tests.contracts.signing",
)
