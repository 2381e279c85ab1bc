"""What Docker says to a terminal of a pull or a push, read as MB done, MB wanted, rate and time left."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("told", ROOT / "templates/caffe2_image/told.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


told = _module()
ONE, TWO = "0123456789ab", "ba9876543210"


def _lines(case: str) -> list[str]:
    text = (ROOT / f"tests/fixtures/docker_cli/{case}.tty").read_bytes().decode()
    return [line for line in (told._CONTROL.sub("", one).strip() for one in told._LINE.split(text)) if line]


@pytest.mark.parametrize(
    ("case", "rest", "end"),
    [
        ("push", ["The push refers", "1: digest: sha256:957cbe87"], "240 of 240 MB (4 of 4 layers)"),
        ("push_again", ["The push refers", "1: digest: sha256:957cbe87"], "0 of 0 MB (4 of 4 layers)"),
        (
            "pull",
            ["1: Pulling from", "Digest: sha256:957cbe87", "Status: Downloaded", "127.0.0.1:5000/"],
            "240 of 240 MB, unpacked 240 MB (4 of 4 layers)",
        ),
        ("pull_unknown", ["Error response from daemon: manifest for"], "no layer yet"),
    ],
)
def test_a_recorded_run_ends_with_all_of_it(case: str, rest: list[str], end: str) -> None:
    layers = told.Layers()
    said = [line for number, line in enumerate(_lines(case)) if not layers.read(line, number / 20)]
    assert len(said) == len(rest)
    assert all(line.startswith(start) for line, start in zip(said, rest, strict=True))
    assert layers.told(100) == end


def test_a_recorded_run_never_tells_less_than_before() -> None:
    for case in ("push", "pull"):
        layers, before = told.Layers(), 0
        for number, line in enumerate(_lines(case)):
            layers.read(line, number / 20)
            done = sum(layer.done for layer in layers.layers.values())
            assert done >= before, (case, line)
            before = done


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([f"{ONE}: Preparing"], "0 of at least 0 MB (0 of 1 layers)"),
        ([f"{ONE}: Pushing [=>  ]  10MB/40MB"], "10 of 40 MB, 5.0 MB/s, 6 s left (0 of 1 layers)"),
        (
            [f"{TWO}: Waiting", f"{ONE}: Downloading [=>  ]  40MB/1.2GB"],
            "40 of at least 1200 MB, 20 MB/s (0 of 2 layers)",
        ),
        # Docker leaves the size away where it read more than it had announced.
        (
            [f"{ONE}: Pushing [=>  ]  512B/1kB", f"{ONE}: Pushing [==>]  2.56kB", f"{ONE}: Pushed"],
            "0 of 0 MB (1 of 1 layers)",
        ),
        (
            [f"{TWO}: Already exists", f"{ONE}: Downloading [> ] 1MB/5MB", f"{ONE}: Download complete"],
            "5 of 5 MB (1 of 2 layers)",
        ),
        (
            [f"{ONE}: Downloading [> ] 5MB/5MB", f"{ONE}: Extracting [> ]  2MB/5MB"],
            "5 of 5 MB, unpacked 2 MB (0 of 1 layers)",
        ),
        ([f"{ONE}: Mounted from rocestack/other"], "0 of 0 MB (1 of 1 layers)"),
        # With the store of containerd there is a time instead.
        ([f"{ONE}: Downloading [> ] 5MB/5MB", f"{ONE}: Extracting 3 s"], "5 of 5 MB (0 of 1 layers)"),
    ],
)
def test_layers_in_words(lines: list[str], words: str) -> None:
    layers = told.Layers()
    for line in lines:
        assert layers.read(line, 8.0)
    assert layers.told(10.0) == words


@pytest.mark.parametrize(
    "line", ["sha256:957c: Pulling", f"{ONE}: Retrying in 5 seconds", "1: digest: sha256:9"]
)
def test_what_is_not_about_a_layers_bytes_is_kept(line: str) -> None:
    assert not told.Layers().read(line, 0.0)
