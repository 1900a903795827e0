"""A login that was sealed, or made again of its own headers, is the same login."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from pydantic import SecretStr

from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.vault import open_vault
from tests import logins

pytestmark = pytest.mark.unit

KEYS = SecretStr(f"{Fernet.generate_key().decode()},{Fernet.generate_key().decode()}")


@given(logins.headers, logins.cookies)
def test_a_login_comes_out_of_the_vault_as_it_went_in(
    headers: dict[str, str], cookies: dict[str, str]
) -> None:
    login = Credentials(headers, cookies)
    vault = open_vault(Path(), KEYS)
    for sealed in (vault.seal(login), vault.rotate(vault.seal(login))):
        opened = vault.open(sealed)
        assert opened.reveal_headers() == login.reveal_headers()
        assert opened.cookie_names == login.cookie_names
