"""Recorded answers and requests of the exchange, where the checkout has them beside it."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"


def sample_bytes(name: str) -> bytes:
    """Return one sample, or skip the test."""
    return _read(_SHARED / "wire" / "samples" / name)


def sample(name: str) -> Any:  # noqa: ANN401
    """Return one sample as JSON values, its numbers as exact decimals."""
    return exact_json(sample_bytes(name))


def listing_bytes(name: str) -> bytes:
    """Return one whole recorded listing, unpacked, or skip the test."""
    return gzip.decompress(_read(_SHARED / "data" / "alpha" / name))


def exact_json(text: bytes) -> Any:  # noqa: ANN401
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def shared(path: str) -> Path:
    """Return a file of the recorded material, or skip the test."""
    found = _SHARED / path
    if not found.exists():
        pytest.skip(f"the recorded material is not beside this checkout: {found.name}")
    return found


def _read(path: Path) -> bytes:
    if not path.exists():
        pytest.skip(f"the recorded material is not beside this checkout: {path.name}")
    return path.read_bytes()
