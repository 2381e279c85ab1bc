"""Shows an answer page by page, with the prompts and keys of the original's pager."""

from __future__ import annotations

from collections.abc import Callable

_QUIT = b"qQ\x03"
_ENTER = b"\r\n"
# Puts the cursor at the start of the pager's prompt and wipes it.
_WIPE = "\r\x1b[K"


def show(text: str, height: int, write: Callable[[str], None], key: Callable[[], bytes | None]) -> None:
    """Write `text`; with more lines than a screen of `height` has, stop after each page and wait for a key.

    Enter shows one more line, q or Ctrl-C leaves out the rest, other keys show the next page. `height` 0 is
    no paging. At the end of what was paged the pager waits once more, as the original does.
    """
    lines = text.splitlines(keepends=True)
    page = height - 1
    if height < 2 or len(lines) <= page:
        write(text)
        return
    shown = page
    write("".join(lines[:shown]))
    while True:
        at_end = shown >= len(lines)
        first = max(shown - page, 0) + 1
        write(f"lines {first}-{shown}/{shown} (END) " if at_end else f"lines {first}-{shown} ")
        pressed = key()
        write(_WIPE)
        if pressed is None or pressed in _QUIT or at_end:
            return
        step = 1 if pressed in _ENTER else page
        write("".join(lines[shown : shown + step]))
        shown = min(shown + step, len(lines))
