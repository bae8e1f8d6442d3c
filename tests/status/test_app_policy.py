"""Which app versions may go on."""

import pytest

from app import settings
from app.status.app_policy import AppPolicies


def policies(least: str) -> AppPolicies:
    return AppPolicies(
        settings.load(env="test", min_app_version=least, latest_app_version="3.0.0")
    )


@pytest.mark.parametrize("version", ["2.4", "2.4.0", "2.4.1", "2.10", "3", "2.4.0-rc1"])
def test_versions_from_the_least_on_may_go_on(version: str) -> None:
    policy = policies("2.4").of(version)

    assert not policy.must_upgrade
    assert (policy.min_version, policy.latest_version) == ("2.4", "3.0.0")


@pytest.mark.parametrize(
    "version", ["2.3.9", "1.10", "", "latest", "-1", "v3", "x" * 500]
)
def test_older_versions_and_texts_that_are_none_must_upgrade(version: str) -> None:
    assert policies("2.4").of(version).must_upgrade


def test_the_default_lets_every_version_go_on() -> None:
    assert policies("0.0.0").allows("0.0.0")
