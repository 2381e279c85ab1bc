"""A small image in two stages, that is built and checked by the scripts of the real one."""

from __future__ import annotations

import subprocess
from pathlib import Path

BASE = "rocestack/test-base"
# Two stages, as the real ones: what the first one leaves must go from the host.
_DOCKERFILE = """ARG base_image
FROM ${base_image} AS build
RUN echo made >/made
FROM ${base_image}
COPY rocestack-check /usr/local/bin/
COPY --from=build /made /made
"""
_CHECK = """#!/bin/sh
echo 'checked there' >&2
echo '{"operator_test": "OK"}'
"""
_LIBRARIES = ("/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2")


def make_base(node_image: str) -> None:
    """Have the base on the operator's engine: a shell of the lab's own image."""
    copies = "".join(f"COPY --from=from {path} {path}\n" for path in _LIBRARIES)
    done = subprocess.run(
        ["docker", "build", "--quiet", "--tag", BASE, "-"],
        input=f"FROM {node_image} AS from\nFROM scratch\nCOPY --from=from /bin/dash /bin/sh\n{copies}",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def write_context(folder: Path) -> None:
    """Write what the image is built from."""
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(_DOCKERFILE)
    (folder / "rocestack-check").write_text(_CHECK)
    (folder / "rocestack-check").chmod(0o755)


def base_settings() -> dict[str, str]:
    """Return the settings of the step caffe2_image.base; no registry has this base."""
    return {"base_image": BASE, "source": "nowhere.invalid/test-base:1", "suite": "none"}


def build_settings() -> dict[str, str]:
    """Return those of caffe2_image.build that say nothing of a machine, a context or a tag."""
    return {
        "arg_base_image": BASE,
        "base": BASE,
        "flavour": "debian",
        "image": "rocestack/test-built",
        "ofed_sha256": "none",
        "ofed_source": "none",
        "test": "",
        "test_module": "none",
    }
