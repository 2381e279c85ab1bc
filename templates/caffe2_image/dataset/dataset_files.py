"""Files and folders as the dataset's tool uses them, and the one error that it tells.

Python 2.7, or 3.5 and later, as the images have it.
"""

from __future__ import division, print_function, unicode_literals

import errno
import io
import os
import shutil
import sys


class DatasetError(Exception):
    """What cannot be done, as one sentence for the person."""


def say(text):
    """Tell the person how far it is."""
    sys.stderr.write("rocestack-dataset: %s\n" % text)
    sys.stderr.flush()


def read_text(path):
    """Return a small text file's content, or None where there is none."""
    try:
        with io.open(path, encoding="utf-8") as file:
            return file.read()
    except IOError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def write_bytes(path, content):
    """Write a small file at once: nobody reads half of it, and a run that is cut off leaves none."""
    with io.open(path + ".part", "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".part", path)


def write_text(path, text):
    """Write a small text file at once."""
    write_bytes(path, text.encode("utf-8"))


def remove(path):
    """Remove a file or a folder, if there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def in_folder(path):
    """Make a folder where there is none, and return it."""
    if not os.path.isdir(path):
        os.makedirs(path)
    return path


def size(count):
    """Return a number of bytes for a person."""
    return "%.1f GB" % (count / 1e9) if count >= 1e8 else "%.1f MB" % (count / 1e6)


def free_bytes(path):
    """Return what this process may still write on the disk of `path`."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize
