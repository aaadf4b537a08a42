"""functions/login/keys.py and knative/rotate.py: a new signing key, and nobody has to sign in again."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.login import grants, keys
from functions.shared import tokens
from functions.shared.problems import Problem
from functions.shared.scopes import OF_A_PERSON

ROOT = Path(__file__).parents[2]
TOKEN_SECONDS = 900
LATER = keys.ROLLOUT_SECONDS + 1


def kids(secrets: Mapping[str, str]) -> list[str]:
    return [key["kid"] for key in json.loads(secrets["jwks"])["keys"]]


def kid(key: str) -> str:
    return str(json.loads(key)["kid"])


def use(secrets: Mapping[str, str], patch: pytest.MonkeyPatch) -> None:
    """What every function gets from these secrets."""
    for name in ("signing-key", "jwks"):
        patch.setenv(name.upper().replace("-", "_"), secrets[name])


def without_next_key() -> dict[str, str]:
    """Secrets as the release before made them."""
    made = keys.make()
    (first, _) = json.loads(made.pop("jwks"))["keys"]
    del made["next-signing-key"]
    return {**made, "jwks": json.dumps({"keys": [first]})}


def test_the_key_after_this_one_is_listed_from_the_start() -> None:
    made = keys.make()
    assert kids(made) == [kid(made["signing-key"]), kid(made["next-signing-key"])]
    assert "d" not in json.loads(made["jwks"])["keys"][0] | json.loads(made["jwks"])["keys"][1]


def test_at_each_step_of_a_rollout_every_function_takes_every_token(
    monkeypatch: pytest.MonkeyPatch, tables: None
) -> None:
    """Some pods have the Secret of before, others that of after: both kinds sign, and both kinds check."""
    before = keys.make()
    after = keys.rotated(before, time.time(), TOKEN_SECONDS)
    again = keys.rotated(after, time.time() + LATER, TOKEN_SECONDS)
    for old, new in ((before, after), (after, again)):
        for signer in (old, new):
            use(signer, monkeypatch)
            token = grants.signed("anna", OF_A_PERSON)
            for checker in (old, new):
                use(checker, monkeypatch)
                assert tokens.bearer(f"Bearer {token}").user_id == "anna"


def test_a_rotation_changes_the_signing_key_and_not_the_links(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys.make()
    after = keys.rotated(before, time.time(), TOKEN_SECONDS)
    assert after["signing-key"] == before["next-signing-key"]
    assert after["next-signing-key"] not in before.values()
    assert after["link-secret"] == before["link-secret"]
    assert kids(after) == [*kids(before), kid(after["next-signing-key"])]


def test_the_old_key_goes_when_no_token_of_it_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    before = keys.make()
    after = keys.rotated(before, now, TOKEN_SECONDS)
    ends = now + TOKEN_SECONDS + keys.ROLLOUT_SECONDS
    assert keys.without_old_keys(after, ends - 1) == after
    dropped = keys.without_old_keys(after, ends + 1)
    assert kids(dropped) == kids(after)[1:]
    assert kids(keys.rotated(after, ends + 1, TOKEN_SECONDS))[:-1] == kids(dropped)


def test_a_second_rotation_waits_until_every_function_can_know_the_next_key() -> None:
    after = keys.rotated(keys.make(), 1_000_000, TOKEN_SECONDS)
    with pytest.raises(keys.TooSoon):
        keys.rotated(after, 1_000_000 + keys.ROLLOUT_SECONDS - 1, TOKEN_SECONDS)
    assert keys.rotated(after, 1_000_000 + keys.ROLLOUT_SECONDS, TOKEN_SECONDS)["signing-key"]


def test_secrets_of_the_release_before_announce_their_next_key_first() -> None:
    old = without_next_key()
    announced = keys.rotated(old, 1_000_000, TOKEN_SECONDS)
    assert announced["signing-key"] == old["signing-key"]
    assert kids(announced) == [kid(old["signing-key"]), kid(announced["next-signing-key"])]
    with pytest.raises(keys.TooSoon):
        keys.rotated(announced, 1_000_001, TOKEN_SECONDS)
    after = keys.rotated(announced, 1_000_000 + LATER, TOKEN_SECONDS)
    assert after["signing-key"] == announced["next-signing-key"]


def test_a_token_of_a_key_that_was_dropped_is_refused(monkeypatch: pytest.MonkeyPatch, tables: None) -> None:
    before = keys.make()
    use(before, monkeypatch)
    token = grants.signed("anna", OF_A_PERSON)
    after = keys.rotated(before, 1_000_000, TOKEN_SECONDS)
    use(keys.without_old_keys(after, time.time()), monkeypatch)
    with pytest.raises(Problem):
        tokens.bearer(f"Bearer {token}")


def rotate(*arguments: str, given: str = "", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "knative.rotate", *arguments]
    return subprocess.run(command, cwd=cwd, input=given, capture_output=True, text=True, check=False)


def manifest(secrets: Mapping[str, str]) -> dict[str, Any]:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in secrets.items()}
    metadata = {"name": "audiolift-tokens", "namespace": "audiolift", "resourceVersion": "7"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def values(secret: Mapping[str, Any]) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def test_the_command_changes_a_secret_on_its_way_through() -> None:
    before = keys.make()
    done = rotate("-", given=json.dumps(manifest(before)))
    secret = json.loads(done.stdout)
    assert values(secret)["signing-key"] == before["next-signing-key"]
    assert {**secret, "data": ...} == {**manifest(before), "data": ...}
    refused = rotate("-", given=done.stdout)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "announced less than" in refused.stderr


def test_the_command_changes_the_file_of_one_machine(tmp_path: Path) -> None:
    path, before = tmp_path / "secrets.json", keys.make()
    path.write_text(json.dumps({"audiolift-tokens": before}))
    assert rotate(str(path)).returncode == 0
    after = json.loads(path.read_text())["audiolift-tokens"]
    assert after["signing-key"] == before["next-signing-key"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert rotate("--drop", str(path)).returncode == 0
    assert json.loads(path.read_text())["audiolift-tokens"] == after


def test_without_keys_the_command_says_so(tmp_path: Path) -> None:
    done = rotate(str(tmp_path / "secrets.json"))
    assert done.returncode == 1
    assert "does not exist" in done.stderr
