"""What `inveon.toml` says for a source: it fills forms; what cannot be read is refused, unless it is left aside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from inveonimaging.app.choices.faults import fault_of
from inveonimaging.app.choices.table import YES
from inveonimaging.app.pages.front import Front
from inveonimaging.errors import InveonError

NO_CONFIG = "no_config"
"""The field of a form that leaves aside what cannot be read, as `--no-config` does."""


class Site(NamedTuple):
    """The settings of a source.

    Attributes:
        values: by the names of the form's fields.
        error: why they cannot be read; then they say nothing.
        is_left: whether to go on without them.
    """

    values: Mapping[str, str]
    error: InveonError | None = None
    is_left: bool = False

    @property
    def problem(self) -> str:
        """Why they cannot be read, in words."""
        return fault_of(self.error).words if self.error else ""

    @property
    def is_without(self) -> bool:
        """Whether the command is to ignore them: the form has their values, or they are not wanted."""
        return bool(self.values) or self.is_left

    def refuse(self) -> None:
        """Refuse settings that cannot be read, as commands do.

        Raises:
            InveonError: they cannot, and are not left aside.
        """
        if self.error and not self.is_left:
            raise self.error


def site_of(front: Front, source: Path, form: Mapping[str, str] | None = None) -> Site:
    """Return the settings of a source; whether to go on without them is as a form says, which is kept."""
    try:
        found = Site(front.settings(source))
    except InveonError as error:
        if form is not None:
            front.drafts.keep(source, {NO_CONFIG: form.get(NO_CONFIG, "")})
        return Site({}, error, front.drafts.of(source).get(NO_CONFIG) == YES)
    if form is not None and front.drafts.of(source).get(NO_CONFIG):  # what is broken another time is reported again
        front.drafts.keep(source, {}, without={NO_CONFIG})
    return found
