"""A job's log in a file: a line of JSON for each entry, packed if its name ends in `.gz`."""

import gzip
import zlib
from pathlib import Path

from oto.application.job_log import JobLog, UnreadableLogError, from_lines, to_lines

_PACKED = ".gz"


def write_log(file: Path, log: JobLog) -> None:
    """Write a log; a file that is there is replaced.

    Raises:
        OSError: it cannot be written.
    """
    lines = to_lines(log)
    # Without a time in it, the same log is the same file.
    file.write_bytes(gzip.compress(lines, mtime=0) if file.suffix == _PACKED else lines)


def read_log(file: Path) -> JobLog:
    """Read a log that `write_log` has written.

    Raises:
        UnreadableLogError: it is no such file.
        OSError: it cannot be opened.
    """
    content = file.read_bytes()
    if file.suffix == _PACKED:
        try:
            content = gzip.decompress(content)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UnreadableLogError(f"{file} is not packed by gzip: {error}.") from None
    return from_lines(content)
