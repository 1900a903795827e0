"""Users' logins at rest: sealed under a master key that is never shown."""

import os
import re
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from oto.domain.errors import SentenceError
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.sealed import Sealed
from oto.infrastructure.private_file import PrivateFileError, read_private

KEY_FILE = "master.key"
_KEY = re.compile(r"[0-9A-Za-z_-]{43}=")
# Version 0x80, time, initial vector, one block or more, signature: at least 73 bytes in base64.
_TOKEN = re.compile(rb"gAAAA[0-9A-Za-z_-]+={0,2}")
_SHORTEST_TOKEN = 100


class VaultError(SentenceError):
    """A login cannot be opened or a master key cannot be used; the message says what to do."""


class Vault(Sealed[MultiFernet]):
    """Seals logins under the first of its keys, and opens what any of them has sealed."""

    __slots__ = ()

    def seal(self, credentials: Credentials) -> bytes:
        """Return the login as text that only this vault's keys open."""
        return self._unseal().encrypt(msgspec.json.encode(credentials.reveal_headers()))

    def open(self, sealed: bytes) -> Credentials:
        """Return the login that was sealed.

        Raises:
            VaultError: none of the keys sealed it, or it is damaged.
        """
        _check_whole(sealed)
        with suppress(InvalidToken):
            if login := _login(self._unseal().decrypt(sealed)):
                return login
            raise VaultError("What was sealed here is not a login; log this user in again.")
        raise _wrong_key()

    def rotate(self, sealed: bytes) -> bytes:
        """Return the login sealed anew, under the first key.

        Raises:
            VaultError: none of the keys sealed it, or it is damaged.
        """
        _check_whole(sealed)
        with suppress(InvalidToken):
            return self._unseal().rotate(sealed)
        raise _wrong_key()


def open_vault(home: Path, master_key: SecretStr | None) -> Vault:
    """Return the vault of the given keys, or else of those in `home/master.key`.

    Several keys are separated by commas, the newest first. Without any, one is made and kept.

    Raises:
        VaultError: a key is malformed, or others may open the file.
        OSError: the file can be neither opened nor made.
    """
    if master_key is not None:
        return _vault(master_key, "OTO_MASTER_KEY")
    file = home / KEY_FILE
    if not file.exists():
        _make_key(file)
    return _vault(_kept_keys(file), str(file))


def _make_key(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, prefix=f"{file.name}.") as draft:
        draft.write(Fernet.generate_key())
        draft.flush()
        os.fsync(draft.fileno())
        # A link appears whole or not at all, and of several processes only the first can make it.
        with suppress(FileExistsError):
            os.link(draft.name, file)


def _kept_keys(file: Path) -> SecretStr:
    try:
        return SecretStr(read_private(file))
    except PrivateFileError as error:
        sentence = str(error)
    raise VaultError(f"{file}: {sentence}")


def _vault(keys: SecretStr, where: str) -> Vault:
    fernets: list[Fernet] = []
    for fernet in map(_fernet, re.split(r"[,\s]+", keys.get_secret_value().strip())):
        if fernet is None:
            raise VaultError(
                f"Key {len(fernets) + 1} in {where} is malformed;"
                " a key is 32 random bytes in URL-safe base64, which makes 44 characters."
            )
        fernets.append(fernet)
    return Vault(MultiFernet(fernets))


def _fernet(key: str) -> Fernet | None:
    return Fernet(key) if _KEY.fullmatch(key) else None


def _login(plain: bytes) -> Credentials | None:
    try:
        return Credentials(msgspec.json.decode(plain, type=dict[str, str]))
    except (msgspec.DecodeError, ValueError):
        return None


def _check_whole(sealed: bytes) -> None:
    if len(sealed) < _SHORTEST_TOKEN or len(sealed) % 4 or not _TOKEN.fullmatch(sealed):
        raise VaultError("This sealed login is damaged; log this user in again.")


def _wrong_key() -> VaultError:
    return VaultError(
        "None of the present keys opens this login; add the key that sealed it"
        f" to OTO_MASTER_KEY or to {KEY_FILE}, or log this user in again."
    )
