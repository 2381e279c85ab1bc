"""Images made into the records that Caffe's tools make of them (guide: create_imagenet.sh, make_imagenet_mean.sh).

An LMDB of caffe.Datum, its keys numbered in the order of the list: raw records hold blue, green and red planes, encoded
ones a JPEG. Beside it the training set's mean image, a caffe.BlobProto. Python 2.7, or 3.5 and later, with lmdb,
numpy and PIL.
"""

from __future__ import division, print_function, unicode_literals

import hashlib
import io
import os
import warnings
from multiprocessing.pool import ThreadPool

import lmdb
import numpy
from dataset_files import (
    DatasetError,
    free_bytes,
    in_folder,
    read_text,
    remove,
    say,
    size,
    write_bytes,
    write_text,
)
from PIL import Image

# As many as are decoded side by side before they are written in their order: 200 MB of raw records at 256 pixels.
BATCH = 1024
COMMIT = 1024
# What an LMDB may grow to, as Caffe2 itself maps it; no file gets larger by it.
MAP_BYTES = 1 << 40
# OpenCV's, which Caffe's tool encodes with.
JPEG_QUALITY = 95


def varint(value):
    """Return a protobuf number as bytes."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def field(number, value):
    """Return a protobuf field: a number, or bytes."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def datum(content, label, side, encoding):
    """Return a caffe.Datum: channels, height, width, data, label and encoded; a JPEG has its shape in itself."""
    if encoding == "jpeg":
        return field(4, content) + field(5, label) + field(7, 1)
    shape = field(1, 3) + field(2, side) + field(3, side)
    return shape + field(4, content) + field(5, label) + field(7, 0)


def blob(mean, side):
    """Return a caffe.BlobProto of one image of floats."""
    shape = field(1, 1) + field(2, 3) + field(3, side) + field(4, side)
    return shape + field(5, mean.astype("<f4").tobytes())


def planes(image):
    """Return the bytes of a picture's blue, green and red planes, as OpenCV orders them."""
    return b"".join(band.tobytes() for band in reversed(image.split()))


def content_of(path, side, encoding):
    """Return what a record holds of an image, and its planes. Raises PIL's many errors for no picture.

    The picture is brought to `side` by four neighbours of each point, as Caffe's tool does it, whatever its form.
    """
    with open(path, "rb") as file:
        whole = Image.open(file).convert("RGB")
    image = whole.transform((side, side), Image.EXTENT, (0, 0) + whole.size, Image.BILINEAR)
    if encoding == "raw":
        return (planes(image),) * 2
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    # The mean is that of what is stored.
    return file.getvalue(), planes(Image.open(io.BytesIO(file.getvalue())))


def content_or_fault(job):
    """Return (content, planes, None) of an image, or (None, None, why it is none)."""
    try:
        return content_of(*job) + (None,)
    except (IOError, SyntaxError, ValueError, IndexError, Image.DecompressionBombError) as error:
        return None, None, str(error)


def in_mixed_order(rows):
    """Return the rows in an order that is fixed, and mixed: neighbours are of different classes."""
    return sorted(rows, key=lambda row: hashlib.sha256(("%s %d\n" % row).encode("utf-8")).digest())


def write_set(options, name, rows, work):
    """Make one set's LMDB, and the training set's mean image, if its mark is missing."""
    target, tree = os.path.join(work, name + "_lmdb"), os.path.join(work, name)
    mean = os.path.join(work, "mean.binaryproto")
    if read_text(target + ".done") is not None and (name != "train" or os.path.isfile(mean)):
        return
    remove(target)
    for image, _ in rows:
        if not os.path.isfile(os.path.join(tree, image)):
            raise DatasetError("%s.txt names %s, which is in no archive" % (name, image))
    say("writing %s_lmdb, %d images" % (name, len(rows)))
    total, bad = write_records(options, in_folder(target), tree, in_mixed_order(rows))
    if bad:
        raise DatasetError("%d image(s) of %s cannot be decoded, the first is %s" % (len(bad), name, bad[0]))
    if name == "train":
        write_bytes(mean, blob(total / len(rows), options.resize))
    # Whoever serves the data to other hosts has no rights of its own.
    os.chmod(target, 0o755)
    os.chmod(os.path.join(target, "data.mdb"), 0o644)
    write_text(target + ".done", "%d\n" % len(rows))


def write_records(options, target, tree, rows):
    """Write all rows to the LMDB `target`; return the sum of all planes, and the images that are none."""
    total, bad = numpy.zeros(3 * options.resize * options.resize), []
    pool = ThreadPool(options.workers)
    try:
        # No lock file: nobody else has it open. It counts only after its last write is on the disk.
        with lmdb.open(target, map_size=MAP_BYTES, lock=False, sync=False) as database:
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                jobs = [(os.path.join(tree, row[0]), options.resize, options.encoding) for row in batch]
                with database.begin(write=True) as writing:
                    for place, found in enumerate(pool.imap(content_or_fault, jobs)):
                        content, pixels, fault = found
                        if fault is not None:
                            bad.append("%s: %s" % (jobs[place][0], fault))
                            continue
                        key = "%08d_%s" % (start + place, batch[place][0])
                        record = datum(content, batch[place][1], options.resize, options.encoding)
                        writing.put(key.encode("utf-8"), record, append=True)
                        total += numpy.frombuffer(pixels, numpy.uint8)
                told(start, start + len(batch), len(rows))
            database.sync(True)
    except lmdb.Error as error:
        # Of a full disk LMDB says "Input/output error".
        raise DatasetError(
            "%s cannot be written: %s; %s are free there" % (target, error, size(free_bytes(target)))
        )
    finally:
        pool.terminate()
        pool.join()
    return total, bad


def told(before, done, all_of_them):
    """Say at each eighth how far it is."""
    if done * 8 // all_of_them > before * 8 // all_of_them:
        say("%d of %d images written" % (done, all_of_them))


# PIL warns of every picture whose EXIF it cannot read; it is not used.
warnings.filterwarnings("ignore", module="PIL")
