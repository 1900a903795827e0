"""The command that a browser's "Copy as cURL" makes, for bash or for Windows' cmd."""

import re
import shlex
from itertools import pairwise

_HEADER = {"-H", "--header"}
_COOKIE = {"-b", "--cookie"}
_PROGRAMS = {"curl", "curl.exe"}
# All that can hide a $', and $' itself: the one quoting of bash that shlex does not know.
_BASH = re.compile(
    r"""'[^']*'|"(?:\\.|[^"\\])*"|\$'(?P<ansi>(?:\\.|[^'\\])*)'|(?P<open>\$')|\\(?P<escaped>.)""",
    re.DOTALL,
)
_ANSI = re.compile(
    r"\\(?:x(?P<x>[\da-fA-F]{1,2})|u(?P<u>[\da-fA-F]{1,4})|(?P<octal>[0-7]{1,3})|(?P<char>[nrt\\'\"]))"
)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
_CUT_OFF = "The command is cut off inside a quotation; copy and paste it whole."


def header_lines(command: str) -> list[str]:
    """Return the request's headers as `Name: value`, those of -b too; all else is left out.

    Raises:
        ValueError: the command is cut off, or there are several.
    """
    words = _words(command.replace("\r\n", "\n"))
    if any(word in _PROGRAMS and before[:1] != "-" for before, word in pairwise(words)):
        raise ValueError("There are several commands; copy a single request.")
    return [
        f"cookie: {word}" if option in _COOKIE else word
        for option, word in pairwise(words)
        if option in _HEADER | _COOKIE
    ]


def _words(command: str) -> list[str]:
    lexer = _cmd_lexer(command) if _is_for_cmd(command) else _bash_lexer(command)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        raise ValueError(_CUT_OFF) from None


def _is_for_cmd(command: str) -> bool:
    first_quote = re.search(r"['\"]", command)
    return (
        first_quote is not None and first_quote[0] == '"' and bool(re.search(r'\^["\s]', command))
    )


def _cmd_lexer(command: str) -> shlex.shlex:
    # Browsers double every backslash, as shlex reads it and Windows' own rules do not.
    lexer = shlex.shlex(re.sub(r"\^(.)", r"\1", command, flags=re.DOTALL), posix=True)
    lexer.quotes = '"'
    return lexer


def _bash_lexer(command: str) -> shlex.shlex:
    return shlex.shlex(_BASH.sub(_for_shlex, command), posix=True)


def _for_shlex(piece: re.Match[str]) -> str:
    if piece["open"]:
        raise ValueError(_CUT_OFF)
    if piece["escaped"] == "\n":
        return ""
    ansi = piece["ansi"]
    return piece[0] if ansi is None else shlex.quote(_ANSI.sub(_character, ansi))


def _character(escape: re.Match[str]) -> str:
    if code := escape["x"] or escape["u"]:
        return chr(int(code, 16))
    if octal := escape["octal"]:
        return chr(int(octal, 8))
    return _CONTROLS.get(escape["char"], escape["char"])
