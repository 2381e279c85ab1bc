#!/usr/bin/env python
"""Make the training data of labelled images in ImageNet's layout (guide: "Appendix A - Prepare LMDB format Dataset").

usage: rocestack-dataset make TARGET --name NAME --labels N --train TAR --train-md5 SUM --val TAR --val-md5 SUM
           --lists TAR --lists-md5 SUM [--resize PIXELS] [--encoding raw|jpeg] [--workers N]
       rocestack-dataset check TARGET --name NAME

--train holds one tarball a class (n01440764.tar, ...), --val the validation images, --lists Caffe's synsets.txt,
train.txt and val.txt. `make` gives the folder TARGET train_lmdb, val_lmdb, mean.binaryproto and manifest, written
last. Work lies in TARGET/.rocestack-new: a run that was cut off goes on there, class by class. What lies in TARGET
and is right stays. `check` reads all of TARGET against its manifest. Both print the manifest; exit status 1 and one
sentence on an error.

It needs Caffe's convert_imageset and compute_image_mean, and Python 2.7, or 3.5 and later, with lmdb (and PIL, where
images are stored as JPEG).
"""

from __future__ import division, print_function, unicode_literals

import argparse
import errno
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from contextlib import closing
from multiprocessing.pool import ThreadPool

from dataset_records import PAGE, SETS, DatasetError, check, describe, read_text

WORK = ".rocestack-new"
ARCHIVES = SETS + ("lists",)
PARTS = ("train_lmdb", "val_lmdb", "mean.binaryproto")
MEMBER = re.compile(r"^(\./)?[A-Za-z0-9][A-Za-z0-9._-]*$")
CHUNK = 1 << 20
BAD_IMAGE = "Could not open or find file "  # Caffe's own words; it goes on without the image


def say(text):
    """Tell the person how far it is."""
    print("rocestack-dataset: " + text, file=sys.stderr)
    sys.stderr.flush()


def write_text(path, text):
    """Write a small text file at once: nobody reads half of it, and a run that is cut off leaves none."""
    with io.open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text if isinstance(text, type("")) else text.decode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".part", path)


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


# --- The archives -------------------------------------------------------------------------------------------------


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


def read_lists(path, labels):
    """Return the classes in the order of their labels, and the rows (image, label) of each set."""
    texts = {}
    try:
        with closing(tarfile.open(path)) as archive:
            for member in archive:
                name = os.path.basename(member.name)
                if member.isfile() and name in ("synsets.txt", "train.txt", "val.txt"):
                    texts[name] = archive.extractfile(member).read().decode("utf-8")
    except (tarfile.TarError, EOFError, IOError) as error:
        raise DatasetError("%s is cut off or no tarball: %s" % (path, error))
    for name in ("synsets.txt", "train.txt", "val.txt"):
        if not texts.get(name, "").strip():
            raise DatasetError("%s has no %s" % (path, name))
    classes = texts["synsets.txt"].split()
    if len(classes) != labels:
        raise DatasetError("synsets.txt has %d classes, and %d labels are asked for" % (len(classes), labels))
    return classes, {name: list(rows(texts[name + ".txt"], name + ".txt", labels)) for name in SETS}


def rows(text, name, labels):
    """Yield (image, label) of a list's lines."""
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"^([A-Za-z0-9][A-Za-z0-9._/-]*) (\d+)$", line.strip())
        if found is None or ".." in line or int(found.group(2)) >= labels:
            raise DatasetError(
                "line %d of %s is no image and label below %d: %r" % (number, name, labels, line)
            )
        yield found.group(1), int(found.group(2))


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


# --- Room on the disk ---------------------------------------------------------------------------------------------


def size(count):
    """A number of bytes for a person."""
    return "%.1f GB" % (count / 1e9) if count >= 1e8 else "%.1f MB" % (count / 1e6)


def free_bytes(path):
    """What this process may still write on the disk of `path`."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def check_room(options, images, work):
    """Raise DatasetError before anything is unpacked, if the disk has no room for all of it."""
    pixels = options.resize * options.resize
    # A raw record takes whole pages of the LMDB; a JPEG of that many pixels stays well below a byte each.
    record = (3 * pixels // PAGE + 2) * PAGE if options.encoding == "raw" else pixels
    needed = os.path.getsize(options.train) + os.path.getsize(options.val) + images * record
    done = sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(work) for name in names
    )
    free = free_bytes(work)
    if free < needed - done:
        raise DatasetError(
            "no room in %s: %s are free, and making %d images takes %s more"
            % (options.target, size(free), images, size(needed - done))
        )


# --- Caffe's tools ------------------------------------------------------------------------------------------------


def run_tool(log, *words):
    """Run one of Caffe's tools, its words kept in the file `log`; return the lines of bad images."""
    try:
        with open(log, "wb") as file:
            status = subprocess.call(words, stdout=file, stderr=subprocess.STDOUT)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        raise DatasetError("this image has no %s: Caffe's own tools make the data" % words[0])
    with io.open(log, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    if status != 0:
        raise DatasetError("%s failed (exit status %d):\n%s" % (words[0], status, "\n".join(lines[-10:])))
    return [line.split(BAD_IMAGE, 1)[1] for line in lines if BAD_IMAGE in line]


def write_list(found, folder, path):
    """Write a set's list in an order that is fixed, and mixed: neighbours are of different classes."""
    for image, _ in found:
        if not os.path.isfile(os.path.join(folder, image)):
            raise DatasetError("%s names %s, which is in no archive" % (os.path.basename(path), image))
    lines = ["%s %d\n" % row for row in found]
    write_text(path, "".join(sorted(lines, key=lambda line: hashlib.sha256(line.encode("utf-8")).digest())))


def convert(options, name, found, work):
    """Make one set's LMDB, if its mark is missing (guide: create_imagenet.sh)."""
    target = os.path.join(work, name + "_lmdb")
    if read_text(target + ".done") is not None:
        return
    remove(target)
    tree = os.path.join(work, name)
    listing = tree + ".txt"
    write_list(found, tree, listing)
    flags = ["--backend=lmdb", "--resize_height=%d" % options.resize, "--resize_width=%d" % options.resize]
    if options.encoding == "jpeg":
        flags += ["--encoded", "--encode_type=jpg"]
    say("writing %s_lmdb, %d images" % (name, len(found)))
    words = ["convert_imageset"] + flags + [tree + "/", listing, target]
    bad = run_tool(target + ".log", *words)
    if bad:
        raise DatasetError("%d image(s) of %s cannot be decoded, the first is %s" % (len(bad), name, bad[0]))
    os.chmod(target, 0o755)  # Caffe's tool makes a folder that its owner alone may enter
    os.chmod(os.path.join(target, "data.mdb"), 0o644)
    write_text(target + ".done", "%d\n" % len(found))


def convert_all(options, lists, work):
    """Make both LMDBs side by side, then the mean image (guide: make_imagenet_mean.sh)."""
    pool = ThreadPool(len(SETS))
    try:
        pool.map(lambda name: convert(options, name, lists[name], work), SETS)
    finally:
        pool.terminate()
        pool.join()
    mean = os.path.join(work, "mean.binaryproto")
    if not os.path.isfile(mean):
        run_tool(mean + ".log", "compute_image_mean", os.path.join(work, "train_lmdb"), mean + ".part")
        os.rename(mean + ".part", mean)


def made_of(options):
    """Return what the work in progress is of: of another archive or size nothing can be used."""
    words = [options.name, options.labels, options.resize, options.encoding]
    return " ".join(str(word) for word in words + [getattr(options, name + "_md5") for name in ARCHIVES])


def make(options):
    """Make the data in `target`, or keep what is right there; return the manifest."""
    target, work = options.target, os.path.join(options.target, WORK)
    try:
        noted = check(target, options.name)
        remove(work)
        say("the data is in place")
        return noted
    except DatasetError as error:
        say("to be made: %s" % error)
    if read_text(os.path.join(work, "of")) != made_of(options):
        remove(work)  # of other data
    write_text(os.path.join(in_folder(work), "of"), made_of(options))
    check_archives(options, work)
    classes, lists = read_lists(options.lists, options.labels)
    check_room(options, sum(map(len, lists.values())), work)
    unpack_all(options, classes, work)
    convert_all(options, lists, work)
    noted = describe(work, options.name, options.labels)
    for name in SETS:
        if "%s_images=%d\n" % (name, len(lists[name])) not in noted:
            remove(os.path.join(work, name + "_lmdb.done"))
            raise DatasetError("%s_lmdb does not hold the %d images of its list" % (name, len(lists[name])))
    remove(os.path.join(target, "manifest"))
    for name in PARTS:
        remove(os.path.join(target, name))
        os.rename(os.path.join(work, name), os.path.join(target, name))
    write_text(os.path.join(target, "manifest"), noted)
    remove(work)
    say("the data is made")
    return noted


def parser():
    """The command line."""
    words = argparse.ArgumentParser(prog="rocestack-dataset", description=__doc__.splitlines()[0])
    words.add_argument("do", choices=("make", "check"))
    words.add_argument("target")
    words.add_argument("--name", required=True)
    for name in ARCHIVES:
        words.add_argument("--" + name)
        words.add_argument("--" + name + "-md5")
    words.add_argument("--labels", type=int)
    words.add_argument("--resize", type=int, default=256)
    words.add_argument("--encoding", choices=("raw", "jpeg"), default="raw")
    words.add_argument("--workers", type=int, default=4)
    return words


def main(arguments):
    """Do what the module's docstring says; print the manifest."""
    options = parser().parse_args(arguments)
    if not os.path.isdir(options.target):
        raise DatasetError("%s is no folder" % options.target)
    if options.do == "check":
        noted = check(options.target, options.name)
    else:
        missing = [key for key, value in sorted(vars(options).items()) if value is None]
        if missing:
            raise DatasetError("make needs --%s" % missing[0].replace("_", "-"))
        noted = make(options)
    sys.stdout.write(str(noted))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ImportError as error:
        sys.exit("rocestack-dataset: this image's Python cannot make the data: %s" % error)
    except (DatasetError, EnvironmentError) as error:
        sys.exit("rocestack-dataset: %s" % error)
