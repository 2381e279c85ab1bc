"""The lab's commands: ``python -m lab setup | wait | summary | switch | fault | faults | vm | clean``."""

from __future__ import annotations

import sys

from lab.errors import LabError
from lab.progress import fail
from settings.loader import SettingsError


def main(arguments: list[str]) -> int:
    """Run one command and return the exit status."""
    # Each command loads only what it needs: `wait` runs once per machine, at the same time.
    match arguments:
        case ["setup"]:
            from lab.setup import setup  # noqa: PLC0415

            setup()
        case ["clean"]:
            from lab.setup import clean  # noqa: PLC0415

            clean()
        case ["wait"]:
            from lab.files import LabFiles  # noqa: PLC0415
            from lab.wait import target_from, wait  # noqa: PLC0415
            from settings import flat  # noqa: PLC0415

            try:
                target = target_from(flat.parse(sys.stdin.read()))
            except ValueError as error:
                raise LabError(f"`lab wait` did not understand its input: {error}") from None
            wait(target, LabFiles())
            # No time in it: the text is recorded, and must not differ from run to run.
            print(f"{target.name} answers at 127.0.0.1:{target.port}")
        case ["summary", *names] if len(names) <= 1:
            from lab.setup import STACK_NAME  # noqa: PLC0415
            from lab.summary import read_outputs, summarise  # noqa: PLC0415

            name = names[0] if names else STACK_NAME
            print(summarise(read_outputs(name), name), end="")
        case ["fault", machine, name]:
            from lab.faults import switch  # noqa: PLC0415

            print(switch(machine, name, "on"))
        case ["fault", machine, name, state, *rest] if len(rest) <= 1:
            from lab.faults import switch  # noqa: PLC0415

            print(switch(machine, name, state, *rest))
        case ["faults"]:
            from lab.faults import active, listing  # noqa: PLC0415

            print(listing(active()), end="")
        case ["switch", *rest]:
            from lab.switch_service import run  # noqa: PLC0415

            return run(rest)
        case ["vm", *rest]:
            from lab.vm.commands import run as run_vm  # noqa: PLC0415

            return run_vm(rest)
        case _:
            print(
                "usage: python -m lab setup | wait | summary [STACK] | switch … | fault … | faults | clean"
                " | vm …",
                file=sys.stderr,
            )
            return 64
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (LabError, SettingsError) as error:
        fail(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
