"""The archives of a set of labelled images: held against their md5, read for their lists, and unpacked.

Python 2.7, or 3.5 and later, as the images have it.
"""

from __future__ import division, print_function, unicode_literals

import hashlib
import os
import re
import shutil
import tarfile
from contextlib import closing
from multiprocessing.pool import ThreadPool

from dataset_files import DatasetError, in_folder, read_text, remove, say, size, write_text

SETS = ("train", "val")
ARCHIVES = SETS + ("lists",)
LISTS = ("synsets.txt", "train.txt", "val.txt")
MEMBER = re.compile(r"^(\./)?[A-Za-z0-9][A-Za-z0-9._-]*$")
ROW = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._/-]*) (\d+)$")
CHUNK = 1 << 20


def check_archives(options, work):
    """Hold each archive against its md5; one that is missing is told before any is read."""
    for name in ARCHIVES:
        if not os.path.isfile(getattr(options, name)):
            raise DatasetError("the archive %s is missing" % getattr(options, name))
    for name in ARCHIVES:
        check_md5(getattr(options, name), getattr(options, name + "_md5"), work)


def check_md5(path, wanted, work):
    """Hold an archive against its md5, once: a mark remembers the file by its size and time."""
    state = os.stat(path)
    seen = "%s %d %d" % (wanted, state.st_size, state.st_mtime)
    mark = os.path.join(in_folder(os.path.join(work, "md5")), os.path.basename(path))
    if read_text(mark) == seen:
        return
    say("reading %s (%s)" % (os.path.basename(path), size(state.st_size)))
    digest = hashlib.md5()  # the sum that ImageNet publishes
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            digest.update(block)
    if digest.hexdigest() != wanted:
        raise DatasetError(
            "the archive %s (%d bytes) has the md5 %s, not %s: it is another file, or a part of it is missing"
            % (path, state.st_size, digest.hexdigest(), wanted)
        )
    write_text(mark, seen)


def read_lists(path, labels):
    """Return the classes in the order of their labels, and the rows (image, label) of each set."""
    texts = {}
    try:
        with closing(tarfile.open(path)) as archive:
            for member in archive:
                name = os.path.basename(member.name)
                if member.isfile() and name in LISTS:
                    texts[name] = archive.extractfile(member).read().decode("utf-8")
    except (tarfile.TarError, EOFError, IOError) as error:
        raise DatasetError("%s is cut off or no tarball: %s" % (path, error))
    for name in LISTS:
        if not texts.get(name, "").strip():
            raise DatasetError("%s has no %s" % (path, name))
    classes = texts["synsets.txt"].split()
    if len(classes) != labels:
        raise DatasetError("synsets.txt has %d classes, and %d labels are asked for" % (len(classes), labels))
    return classes, {name: list(rows(texts[name + ".txt"], name + ".txt", labels)) for name in SETS}


def rows(text, name, labels):
    """Yield (image, label) of a list's lines."""
    for number, line in enumerate(text.splitlines(), 1):
        found = ROW.match(line.strip())
        if found is None or ".." in line or int(found.group(2)) >= labels:
            raise DatasetError(
                "line %d of %s is no image and label below %d: %r" % (number, name, labels, line)
            )
        yield found.group(1), int(found.group(2))


def members(archive, path):
    """Yield the plain files of an open tarball; a name that leads elsewhere is refused."""
    for member in archive:
        if member.isdir():
            continue
        if not member.isfile() or not MEMBER.match(member.name):
            raise DatasetError("%s holds %r, which is no plain file in it" % (path, member.name))
        yield member


def check_end(archive):
    """Raise ReadError unless a tarball that was read has its end: Python takes a cut-off head for one."""
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise tarfile.ReadError("its end is missing")


def unpack(archive, path, folder):
    """Unpack a tarball of images (an open file, `path` for the person) to a new folder; return how many."""
    remove(folder)
    os.makedirs(folder)
    count = 0
    try:
        with closing(tarfile.open(fileobj=archive, mode="r:")) as images:
            for member in members(images, path):
                target = os.path.join(folder, os.path.basename(member.name))
                with open(target, "wb") as file:
                    shutil.copyfileobj(images.extractfile(member), file, CHUNK)
                if os.path.getsize(target) != member.size:
                    raise tarfile.ReadError("%s is not whole" % member.name)
                count += 1
            check_end(images)
    except (tarfile.TarError, EOFError) as error:
        raise DatasetError("%s is cut off or no tarball: %s" % (path, error))
    if count == 0:
        raise DatasetError("%s holds no image" % path)
    return count


def class_tarballs(path):
    """Return the members of the training tarball, by the class that each holds."""
    try:
        with closing(tarfile.open(path, "r:")) as archive:
            found = {os.path.basename(one.name).rsplit(".tar", 1)[0]: one for one in members(archive, path)}
            check_end(archive)
    except tarfile.TarError as error:
        raise DatasetError("%s is cut off or no tarball: %s" % (path, error))
    return found


def unpack_class(job):
    """Unpack one class out of the training tarball, if its mark is missing."""
    path, name, member, folder = job
    mark = os.path.join(folder, name + ".done")
    if read_text(mark) is not None:
        return
    with closing(tarfile.open(path, "r:")) as archive:
        count = unpack(
            archive.extractfile(member), "%s in %s" % (member.name, path), os.path.join(folder, name)
        )
    write_text(mark, "%d\n" % count)


def unpack_all(options, classes, work):
    """Unpack both sets, the classes side by side."""
    found = class_tarballs(options.train)
    missing = [name for name in classes if name not in found]
    if missing:
        raise DatasetError(
            "%s has no tarball of %d class(es), the first is %s.tar"
            % (options.train, len(missing), missing[0])
        )
    folder = in_folder(os.path.join(work, "train"))
    jobs = [(options.train, name, found[name], folder) for name in classes]
    pool = ThreadPool(options.workers)
    try:
        for number, _ in enumerate(pool.imap_unordered(unpack_class, jobs), 1):
            if number % max(1, len(jobs) // 8) == 0:
                say("%d of %d classes unpacked" % (number, len(jobs)))
    finally:
        pool.terminate()
        pool.join()
    mark = os.path.join(work, "val.done")
    if read_text(mark) is None:
        with open(options.val, "rb") as archive:
            count = unpack(archive, options.val, os.path.join(work, "val"))
        write_text(mark, "%d\n" % count)
        say("%d validation images unpacked" % count)
