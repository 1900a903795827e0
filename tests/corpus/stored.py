"""Where the stored logs are."""

from pathlib import Path

FOLDER = Path(__file__).parent


def file_of(name: str) -> Path:
    return FOLDER / f"{name}.jsonl.gz"
