"""A uv that cannot install is no reason to worry a newcomer as long as pip can."""

import sys
from pathlib import Path

import pytest

import dev

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install into a folder of the test's own, with a uv that always fails."""
    uv = tmp_path / "uv"
    uv.write_text(f"#!{sys.executable}\nraise SystemExit('error: no such host')\n")
    uv.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(dev, "VENV", tmp_path / "venv")
    monkeypatch.setattr(dev, "STAMP", tmp_path / "stamp")


def test_pip_is_announced_and_uvs_error_stays_hidden_if_pip_succeeds(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "install_with_pip", lambda: True)

    assert dev.install() == 0

    said = capfd.readouterr()
    assert "trying pip now" in said.out
    assert "error" not in said.out + said.err
    assert dev.STAMP.read_text() == dev.fingerprint()


def test_uvs_error_is_shown_if_pip_fails_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "install_with_pip", lambda: False)

    assert dev.install() == 1

    assert "uv: error: no such host\nCould not install." in capfd.readouterr().out
    assert not dev.STAMP.exists()
