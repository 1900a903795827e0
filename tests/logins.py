"""Logins as tests make them up: any names and values that a request can carry."""

import string
import traceback

from hypothesis import strategies as st

TOKEN = st.text(string.ascii_lowercase + string.digits + "-_.!#$%&'*+^`|~", min_size=1)
SENDABLE = "\t" + "".join(map(chr, [*range(0x20, 0x7F), *range(0xA0, 0x100)]))
VALUE = st.text(SENDABLE, max_size=40)

headers = st.dictionaries(TOKEN.filter(lambda name: name != "cookie"), VALUE, max_size=6)
cookies = st.dictionaries(
    st.text(string.ascii_letters + string.digits + "-_.", min_size=1),
    st.text(SENDABLE.replace(";", "")),
    max_size=6,
).map(lambda others: others | {"cr00": "0a1b", "p20t": "web.1.2"})


def cookie_text(jar: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in jar.items())


def told(error: BaseException | None) -> str:
    """Return all that can be seen of an error and what led to it, locals of our frames included."""
    seen = []
    while error is not None:
        seen += [str(error), repr(error), repr(vars(error))]
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        ours = [frame for frame in frames if frame.f_globals["__name__"].startswith("oto.")]
        seen += [repr(frame.f_locals) for frame in ours]
        error = error.__cause__ or error.__context__
    return "".join(seen)
