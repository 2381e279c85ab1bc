"""The SSH connections, loaded with their library when the first operation needs one: previews do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.plugins.command.ssh import Ssh


class LazySsh:
    """The one `Ssh` that all resource types of the plugin share."""

    def __init__(self) -> None:
        self._ssh: Ssh | None = None

    def get(self) -> Ssh:
        """Return the connections."""
        if self._ssh is None:
            from engine.plugins.command.ssh import Ssh

            self._ssh = Ssh()
        return self._ssh

    async def close(self) -> None:
        """Close the connections."""
        if self._ssh is not None:
            await self._ssh.close()
