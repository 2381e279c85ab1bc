"""Files on the operator's machine that a stack names: its key, its registry's certificate."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pulumi


@cache
def operator_file(setting: str, path: str, hint: str) -> bytes:
    """Return the content of the file that `setting` names; it is read, or warned of, once a run.

    A preview does without: it warns and plans with an empty one, since nothing is sent. An `up` ends with
    a RunError before anything is touched.
    """
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        text = f"{setting} = '{path}' cannot be read: {error.strerror}. Hint: {hint}"
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(text) from None
        pulumi.log.warn(f"{text} `up` needs it.")
        return b""


def portable(path: str) -> str:
    """Return a file's path as it stands in a stack's state: the same for each checkout and each user.

    One in the checkout is told from its root, one in the home folder with a ``~``.
    """
    for folder, prefix in ((Path.cwd(), Path()), (Path.home(), Path("~"))):
        if Path(path).is_relative_to(folder):
            return str(prefix / Path(path).relative_to(folder))
    return path
