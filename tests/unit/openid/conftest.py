"""The authorization endpoint's own fixtures."""

from tests.unit.authorize.conftest import door  # noqa: F401  # a fixture
