"""Logins are sealed under a master key that is made once, kept private and never shown."""

import base64
import copy
import json
import pickle
import pprint
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.vault import Vault, VaultError, open_vault
from tests.logins import told

pytestmark = pytest.mark.unit

CANARY = "canary-5f0c1d"
LOGIN = Credentials({"user-agent": CANARY}, {"cr00": CANARY, "p20t": CANARY})
NOWHERE = Path("/nonexistent")

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def vault(*keys: str) -> Vault:
    return open_vault(NOWHERE, SecretStr(",".join(keys)))


def test_what_was_sealed_opens_and_cannot_be_read_meanwhile() -> None:
    sealed = vault(OLD).seal(LOGIN)
    assert CANARY.encode() not in sealed
    assert CANARY.encode() not in base64.urlsafe_b64decode(sealed)
    assert vault(OLD).open(sealed).reveal_headers() == LOGIN.reveal_headers()


def test_the_first_key_seals_and_all_of_them_open() -> None:
    both = vault(NEW, OLD)
    assert both.open(vault(OLD).seal(LOGIN)).reveal_headers() == LOGIN.reveal_headers()
    assert vault(NEW).open(both.seal(LOGIN)).reveal_headers() == LOGIN.reveal_headers()


def test_rotation_seals_under_the_first_key() -> None:
    rotated = vault(NEW, OLD).rotate(vault(OLD).seal(LOGIN))
    assert vault(NEW).open(rotated).reveal_headers() == LOGIN.reveal_headers()
    with pytest.raises(VaultError, match="None of the present keys"):
        vault(OLD).open(rotated)


@pytest.mark.parametrize("call", [Vault.open, Vault.rotate])
def test_another_key_s_login_is_told_apart(call: Callable[[Vault, bytes], object]) -> None:
    sealed = vault(OLD).seal(LOGIN)
    with pytest.raises(VaultError, match="add the key that sealed it") as caught:
        call(vault(NEW), sealed)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("call", [Vault.open, Vault.rotate])
@pytest.mark.parametrize(
    "damage",
    [
        lambda sealed: sealed[:0],
        lambda sealed: sealed[:-1],
        lambda sealed: sealed[: len(sealed) // 2 - len(sealed) // 2 % 4 + 1],
        lambda sealed: sealed[1:],
        lambda sealed: b"x" * len(sealed),
        lambda sealed: b"\xff" + sealed[1:],
        lambda sealed: sealed.replace(b"gAAAA", b"g AAA"),
        lambda sealed: sealed[:92],
    ],
    ids=range(8),
)
def test_a_damaged_login_is_told(
    call: Callable[[Vault, bytes], object], damage: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(VaultError, match="is damaged"):
        call(vault(OLD), damage(vault(OLD).seal(LOGIN)))


def test_no_changed_byte_goes_unnoticed() -> None:
    raw = base64.urlsafe_b64decode(vault(OLD).seal(LOGIN))
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(VaultError):
            vault(OLD).open(base64.urlsafe_b64encode(changed))


@pytest.mark.parametrize("plain", [CANARY, f'["{CANARY}"]', f'{{"cookie": "x={CANARY}"}}'])
def test_what_is_sealed_but_no_login_is_told_without_showing_it(plain: str) -> None:
    sealed = Fernet(OLD).encrypt(plain.encode())
    with pytest.raises(VaultError, match="not a login") as caught:
        vault(OLD).open(sealed)
    assert CANARY not in told(caught.value)


@pytest.mark.parametrize(
    "key",
    ["", "x", CANARY, OLD[:-1], f"{OLD}=", f"é{OLD[1:]}", f"{OLD[:9]} {OLD[10:]}"],
    ids=["empty", "one sign", "text", "too short", "too long", "a letter outside", "a space"],
)
def test_a_malformed_key_is_told_by_its_place(key: str) -> None:
    with pytest.raises(VaultError, match=r"^Key 2 in OTO_MASTER_KEY is malformed") as caught:
        vault(NEW, key)
    shown = told(caught.value)
    assert NEW not in shown
    assert len(key) < 2 or key not in shown


def test_a_key_is_made_on_first_use_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    sealed = open_vault(home, None).seal(LOGIN)
    assert open_vault(home, None).open(sealed).reveal_headers() == LOGIN.reveal_headers()
    assert [file.name for file in home.iterdir()] == ["master.key"]
    assert stat.S_IMODE((home / "master.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_key_file_may_hold_several_keys(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    file.touch(0o600)
    file.write_text(f"{NEW}\n{OLD}\n")
    rotated = open_vault(tmp_path, None).rotate(vault(OLD).seal(LOGIN))
    assert vault(NEW).open(rotated).reveal_headers() == LOGIN.reveal_headers()


def test_given_keys_leave_the_key_file_alone(tmp_path: Path) -> None:
    open_vault(tmp_path, SecretStr(OLD))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    open_vault(tmp_path, None)
    file = tmp_path / "master.key"
    file.chmod(mode)
    with pytest.raises(VaultError, match=f"run `chmod 600 {file}` first") as caught:
        open_vault(tmp_path, None)
    assert file.read_text() not in told(caught.value)


@pytest.mark.parametrize("content", [b"", CANARY.encode(), CANARY.encode() + b"\xff"])
def test_a_spoilt_key_file_is_told_without_its_content(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "master.key"
    file.touch(0o600)
    file.write_bytes(content)
    with pytest.raises(VaultError, match=str(file)) as caught:
        open_vault(tmp_path, None)
    assert CANARY not in told(caught.value)
    assert file.read_bytes() == content


def test_threads_that_race_for_the_first_key_end_with_one(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def seal(_number: int) -> bytes:
        together.wait()
        return open_vault(tmp_path, None).seal(LOGIN)

    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(seal, range(8)))
    kept = open_vault(tmp_path, None)
    assert all(kept.open(one).reveal_headers() == LOGIN.reveal_headers() for one in sealed)
    assert [file.name for file in tmp_path.iterdir()] == ["master.key"]


@pytest.mark.parametrize(
    "leak",
    [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode, vars],
    ids=range(6),
)
def test_a_vault_is_neither_copied_nor_stored(leak: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as caught:
        leak(vault(OLD))
    assert OLD not in str(caught.value)


def test_a_vault_shows_nothing_of_its_keys() -> None:
    one = vault(OLD)
    assert {repr(one), str(one), f"{one}", pprint.pformat(one)} == {"Vault(<hidden>)"}
