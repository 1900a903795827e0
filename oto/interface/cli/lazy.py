"""Commands that are loaded when they are used, so that each starts with what it needs."""

from collections.abc import ItemsView, Mapping, ValuesView
from importlib import import_module

import click


class LazyCommands(dict[str, click.Command]):
    """The commands of a group; a place is `module:name`."""

    def __init__(self, places: Mapping[str, str]) -> None:
        super().__init__(dict.fromkeys(places, click.Command(None)))
        self._places = dict(places)

    def __getitem__(self, name: str) -> click.Command:
        if place := self._places.pop(name, None):
            module, _, attribute = place.partition(":")
            self[name] = getattr(import_module(module), attribute)
        return super().__getitem__(name)

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
        """Return a command, loaded, or the default."""
        if name not in self:
            return default
        return self[name]

    def values(self) -> ValuesView[click.Command]:  # type: ignore[override]
        """Return all commands, loaded."""
        self._load_all()
        return super().values()

    def items(self) -> ItemsView[str, click.Command]:  # type: ignore[override]
        """Return all commands by name, loaded."""
        self._load_all()
        return super().items()

    def _load_all(self) -> None:
        for name in tuple(self._places):
            self[name]
