"""What `python -m training wait` is asked for, read from flat ``key: 'value'`` lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from settings import flat

MAX_PORT = 65535


class RequestError(Exception):
    """The lines on standard input cannot be used; the message names every fault."""


@dataclass(frozen=True)
class Access:
    """How a host is reached over SSH. The host key is the only one accepted; the key file is only named."""

    address: str
    port: int
    user: str
    host_key: str
    private_key_file: str


@dataclass(frozen=True)
class Shard:
    """One shard: its number, the name of its host and of its container there."""

    index: int
    host: str
    container: str
    access: Access

    def __str__(self) -> str:
        return f"shard {self.index} on {self.host}"


@dataclass(frozen=True)
class WaitRequest:
    """A run and its shards. `deadline_s` counts from the start of the wait; without `waits` there is none."""

    run_id: str
    transport: str
    interface: str
    deadline_s: float
    shards: tuple[Shard, ...]
    waits: bool = True


def parse_request(text: str) -> WaitRequest:
    """Return the request in `text`.

    Keys: run_id, transport, interface, deadline_seconds, shards (their number), and for each shard I from 0
    shard_I_container, _host, _address, _port, _user, _host_key, _private_key_file; wait may be left out.
    Other keys are ignored.
    Raises RequestError with all faults at once.
    """
    try:
        reader = _Reader(flat.parse(text))
    except ValueError as error:
        raise RequestError(str(error)) from error
    request = WaitRequest(
        run_id=reader.text("run_id"),
        transport=reader.text("transport"),
        interface=reader.text("interface"),
        deadline_s=float(reader.number("deadline_seconds")),
        shards=tuple(reader.shard(index) for index in range(reader.number("shards", most=1024))),
        waits=reader.flag("wait", default=True),
    )
    if reader.faults:
        raise RequestError("; ".join(reader.faults))
    return request


class _Reader:
    """Reads typed values and collects faults instead of stopping at the first."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.faults: list[str] = []

    def text(self, key: str) -> str:
        value = self._values.get(key, "")
        if not value:
            self.faults.append(f"{key} is missing")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._values.get(key, str(default).lower())
        if value not in ("true", "false"):
            self.faults.append(f"{key} must be true or false, found '{value}'")
        return value == "true"

    def number(self, key: str, *, most: int | None = None) -> int:
        value = self.text(key)
        allowed = "above 0" if most is None else f"from 1 to {most}"
        if value.isascii() and value.isdigit() and 0 < int(value) <= (most or int(value)):
            return int(value)
        if value:
            self.faults.append(f"{key} must be a whole number {allowed}, found '{value}'")
        return 0

    def shard(self, index: int) -> Shard:
        name = f"shard_{index}"
        return Shard(
            index=index,
            host=self.text(f"{name}_host"),
            container=self.text(f"{name}_container"),
            access=Access(
                address=self.text(f"{name}_address"),
                port=self.number(f"{name}_port", most=MAX_PORT),
                user=self.text(f"{name}_user"),
                host_key=self.text(f"{name}_host_key"),
                private_key_file=self.text(f"{name}_private_key_file"),
            ),
        )
