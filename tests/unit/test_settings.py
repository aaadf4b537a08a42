"""functions/shared/settings.py: what the environment may say."""

from __future__ import annotations

import pytest

from functions.shared import settings
from functions.shared.settings import SETTINGS, SettingError

NUMBERS = [setting.name for setting in SETTINGS if isinstance(setting.default, int)]
EVERY = [setting.name for setting in SETTINGS]


def test_names_are_unique_and_each_setting_says_what_it_is_for() -> None:
    assert len(set(EVERY)) == len(EVERY)
    assert all(setting.help.strip().endswith((".", "…")) for setting in SETTINGS)
    assert all(name.isupper() for name in EVERY)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_an_unset_or_empty_variable_means_the_default(
    setting: settings.Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(setting.name, raising=False)
    assert settings.text(setting.name) == str(setting.default)
    monkeypatch.setenv(setting.name, "")
    assert settings.text(setting.name) == str(setting.default)


def test_the_environment_is_read_when_a_setting_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "7")
    assert settings.number("LEASE_SECONDS") == 7
    monkeypatch.setenv("LEASE_SECONDS", "8")
    assert settings.number("LEASE_SECONDS") == 8


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "1e3", " 1", "0x10", "１", "²", "1_000"])
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_whole_number_is_refused_with_the_name_of_the_setting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=f"^{name} must be"):
        settings.number(name)
    with pytest.raises(SettingError, match=f"^{name} must be"):
        settings.check()


@pytest.mark.parametrize("value", ["10.0.0.1/8", "10.0.0.0/33", "example.com", "10.0.0.0/8,192.168.0.0/16"])
@pytest.mark.parametrize("name", ["FETCH_ALLOWED_NETWORKS", "TRUSTED_PROXIES"])
def test_what_is_no_network_is_refused_at_the_start(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, f"192.0.2.0/24 {value}")
    with pytest.raises(SettingError, match=f"^{name} must be networks: "):
        settings.check()


def test_a_setting_without_default_that_is_missing_is_named_with_its_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINK_SECRET", raising=False)
    with pytest.raises(SettingError, match=r"^LINK_SECRET is not set: Secret behind"):
        settings.required("LINK_SECRET")
    monkeypatch.setenv("LINK_SECRET", "x")
    assert settings.required("LINK_SECRET") == "x"


def test_the_defaults_are_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in EVERY:
        monkeypatch.delenv(name, raising=False)
    settings.check()


def test_what_is_no_setting_cannot_be_asked_for() -> None:
    with pytest.raises(KeyError):
        settings.text("NO_SUCH_SETTING")
