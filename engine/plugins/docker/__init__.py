"""Drop-in for the pulumi-docker provider: containers, networks, volumes, pulled and built images.

Where it differs from the official plugin on purpose:
- it connects when something is asked of the engine, not when it is configured;
- a read also sees other environment variables and labels, but only those that the program set;
- a change of `rm` or of a limit of device traffic, and a limit that is lifted, replace the container: the
  engine does not carry them out in place, and the official plugin says nothing;
- a RemoteImage with other triggers is pulled again, and the old one goes first unless it is kept;
- an Image is looked at: one that is gone is built again, another one of the same name is drift;
- `buildOnPreview`, `RemoteImage.build`, `Volume.cluster`, `Network.ingress`, `networksAdvanced.gwPriority`,
  the provider's `context` and key material, and further resource types are refused by name.
"""

from __future__ import annotations

NAME = "docker"
VERSION = "5.2.0"
