"""Why a shard failed: known texts of the trainer, Gloo, Redis and LMDB as one sentence and a hint."""

from __future__ import annotations

from collections.abc import Collection

from training.failure_texts import NEW_TRY, TEXTS, Failure

__all__ = ["Failure", "explain"]


_STATUSES = {
    78: Failure(
        "Our library for verbs refused its settings.",
        "See its line in the log, which begins with rocestack-verbs.",
    ),
    125: Failure("Docker could not start the container.", "See `docker inspect` of it on that host."),
    126: Failure("The image's start program cannot be run.", "Build the image anew."),
    127: Failure("The image lacks the start program.", "Build the image anew; this is not one of ours."),
    134: Failure("The trainer aborted on an error in native code.", "See the log's last lines."),
    135: Failure(
        "A file that the trainer reads was cut off under it.",
        "See the training data and its disk on that host.",
    ),
    137: Failure("It was killed from outside.", "Somebody or the kernel killed it; see dmesg on that host."),
    139: Failure(
        "The trainer crashed in native code.", "See the log's last lines; is the CPU or RAM faulty?"
    ),
    143: Failure("It was stopped from outside.", NEW_TRY, consequence=True),
    255: Failure(
        "It went down with its host or that host's Docker engine.",
        "See on that host why it started anew: `last -x reboot`, `journalctl -u docker`. " + NEW_TRY,
    ),
}
# How a shard ends with its host: stopped by the shutdown, killed, or found gone by the next engine.
_ENDS_WITH_HOST = (137, 143, 255)
_HOST_WENT = Failure(
    "Its host went away in the middle of the run and is back since; the shard ended with it.",
    "See why it did: `last -x reboot` there. Then run `pulumi up` again: it takes a new run id.",
)

_OUT_OF_MEMORY = Failure(
    "It ran out of memory and the kernel killed it.",
    "Lower `rocestack:training` batch_size, or give the host more memory.",
)
_UNKNOWN = Failure("It failed for a reason that is not known here.", "See the log's last lines.")


def explain(
    lines: Collection[str], exit_status: int, *, out_of_memory: bool = False, host_was_away: bool = False
) -> Failure:
    """Return why a shard with this output and exit status failed; its host may have been away meanwhile.

    Known texts come from runs of Caffe2 1.7.1 with Gloo and from its users' reports; what is not known is
    said to be so.
    """
    if out_of_memory:
        return _OUT_OF_MEMORY
    if host_was_away and exit_status in _ENDS_WITH_HOST:
        return _HOST_WENT
    for known in TEXTS:
        for line in lines:
            match = known.pattern.search(line)
            if match is not None:
                sentence = known.sentence.format(*(group or "" for group in match.groups()))
                return Failure(_one_full_stop(sentence), known.hint, known.consequence)
    return _STATUSES.get(exit_status, _UNKNOWN)


def _one_full_stop(sentence: str) -> str:
    """Return the sentence with a capital and one full stop, without Caffe2's appendix to a quoted text."""
    text = sentence.split(" (Error from operator", maxsplit=1)[0].rstrip(". ") + "."
    return text[0].upper() + text[1:]
