#!/usr/bin/env python3
"""Set the project up and run it: `python3 dev.py demo`, `python3 dev.py test`.

Needs only a Python of version 3.11 or newer with pip or ensurepip. Makes `.venv`, installs the
project with its pinned dependencies (with uv where it can be had, else with pip) and runs the
command there. A stamp makes the second run start at once.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BOOT = ROOT / ".boot"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "installed.stamp"

CHECKS: dict[str, list[str]] = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "layers": ["lint-imports"],
    "tests": ["pytest"],
}


def main() -> int:
    if sys.version_info < (3, 11):
        print(f"alpha-oto needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
        return 2
    command, *arguments = sys.argv[1:] or ["help"]
    if command == "test":
        return install() or run_checks(list(CHECKS), arguments)
    if command in CHECKS:
        return install() or run_checks([command], arguments)
    if command == "install":
        return install()
    if command in {"demo", "oto"}:
        return install() or become_oto(sys.argv[1:] if command == "demo" else arguments)
    print(__doc__)
    print(
        "Commands: demo [OPTIONS] · test [PYTEST ARGUMENTS] · oto [ARGUMENTS] · install · "
        + " · ".join(CHECKS)
    )
    return 0 if command in {"help", "--help", "-h"} else 2


def become_oto(arguments: list[str]) -> NoReturn:
    """Replace this process: a Ctrl-C is then the command's own to end well."""
    sys.stdout.flush()
    os.execv(BIN / "oto", ["oto", *arguments])  # noqa: S606 - the command that was just installed


def run_checks(names: list[str], pytest_arguments: list[str]) -> int:
    for name in names:
        command = [str(BIN / CHECKS[name][0]), *CHECKS[name][1:]]
        if name == "tests" and pytest_arguments:
            # A part of the tests says nothing of the coverage of the whole.
            command += ["--no-cov", *pytest_arguments]
        print(f"== {name}: {' '.join(CHECKS[name])}", flush=True)
        started = time.monotonic()
        code = subprocess.call(command, cwd=ROOT)
        print(f"== {name}: {'ok' if code == 0 else 'FAILED'} in {time.monotonic() - started:.1f} s")
        if code:
            return code
    return 0


def install() -> int:
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return 0
    print("Installing into .venv (once; about half a minute) ...", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    trouble = install_with_uv()
    if trouble is not None:
        print("It cannot be done with uv; trying pip now, which takes longer ...", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        if not install_with_pip():
            print(
                f"uv: {trouble}\n"
                "Could not install. Are the Python package registry and either pip or ensurepip "
                "there?\nOn Debian: apt-get install python3-venv, then run this again."
            )
            return 1
    STAMP.write_text(wanted)
    return 0


def fingerprint() -> str:
    digest = hashlib.sha256(f"{sys.executable} {sys.version}".encode())
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def install_with_uv() -> str | None:
    """Return why it cannot be done; None if it is."""
    uv = find_uv()
    if uv is None:
        return "neither on PATH nor to be had with pip"
    environment = os.environ | {"UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(VENV)}
    for command in (
        [uv, "venv", "-q", "--python", sys.executable, str(VENV)],
        # Compiled once here, as pip does by itself: each process starts two seconds earlier where
        # Python may not write what it has compiled.
        [uv, "pip", "install", "-q", "--compile-bytecode", *what_to_install()],
    ):
        try:
            done = subprocess.run(
                command, env=environment, check=False, text=True, capture_output=True
            )
        except OSError as error:
            return str(error)
        if done.returncode:
            return done.stderr.strip() or f"ended with {done.returncode}"
    return None


def find_uv() -> str | None:
    """Find uv on PATH, or fetch its wheel into `.boot` where pip allows that."""
    if found := shutil.which("uv"):
        return found
    fetched = BOOT / "bin" / "uv"
    if not fetched.exists():
        fetch = [sys.executable, "-m", "pip", "install", "-q", "--no-cache-dir"]
        succeeds([*fetch, "--target", str(BOOT), "uv"], quiet=True)
    return str(fetched) if fetched.exists() else None


def install_with_pip() -> bool:
    python = str(BIN / "python")
    return succeeds([sys.executable, "-m", "venv", str(VENV)]) and succeeds(
        [python, "-m", "pip", "install", "-q", *what_to_install()]
    )


def what_to_install() -> list[str]:
    return ["-e", f"{ROOT}[dev]", "-c", str(ROOT / "constraints.txt")]


def succeeds(command: list[str], *, quiet: bool = False) -> bool:
    output = subprocess.DEVNULL if quiet else None
    try:
        return subprocess.call(command, stdout=output, stderr=output) == 0
    except OSError as error:
        print(f"{command[0]}: {error}")
        return False


if __name__ == "__main__":
    sys.exit(main())
