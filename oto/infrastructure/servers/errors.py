"""What can go wrong with the embedded servers.

ServersError                 they cannot be started, or ended before they were asked to
└── AlreadyRunningError      another process runs them on the same folder
"""

from oto.domain.errors import SentenceError


class ServersError(SentenceError):
    """The embedded servers cannot run; the message is for a person and says what to do."""


class AlreadyRunningError(ServersError):
    """Another process runs servers on the same folder."""
