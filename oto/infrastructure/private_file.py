"""Files that hold secrets: only their owner may open them."""

import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path

from oto.domain.errors import SentenceError


class PrivateFileError(SentenceError, ValueError):
    """The file is open to others or not text; the message says what to do."""


def read_private(file: Path) -> str:
    """Return the text of a file that others on this machine cannot open.

    Raises:
        PrivateFileError: others may open it, or it is not UTF-8 text.
        OSError: it cannot be opened.
    """
    with file.open("rb") as opened:
        # On Windows the mode says nothing of who may read.
        if os.name == "posix" and os.fstat(opened.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            command = f"chmod 600 {shlex.quote(str(file))}"
            raise PrivateFileError(f"Others on this machine may open it; run `{command}` first.")
        with suppress(UnicodeDecodeError):
            return opened.read().decode("utf-8-sig")
    raise PrivateFileError("It is not UTF-8 text; save it as such.")
