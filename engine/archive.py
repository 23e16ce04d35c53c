"""Reads a zip of NumPy arrays that may come from a stranger: no pickles, and never more memory than allowed.

np.load believes what such a file says of itself: a few bytes can ask it for terabytes.
"""

import re
import zlib
from math import prod
from typing import Any, BinaryIO, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

_SUFFIX: Final = ".npy"
_MAGIC: Final = b"\x93NUMPY\x01\x00"
_HEADER_AT: Final = len(_MAGIC) + 2
_HEADER: Final = re.compile(
    rb"\{'descr': '(?P<dtype>[|]b1|[<|][iu][1248]|<f[248]|<U[0-9]{1,3})', 'fortran_order': False, "
    rb"'shape': \((?P<shape>[0-9, ]{0,60})\), \} *\n"
)
"""NumPy's own header of numbers, truth values or text. NumPy would evaluate whatever stands there."""

_READ_ERRORS: Final = (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, zlib.error)
"""What zipfile lets through when a file is damaged, each in its own place."""


def read_archive(file: BinaryIO, *, most: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of what np.savez or np.savez_compressed wrote, by name.

    most: bytes that all of them may take together, unpacked. Raises ValueError for anything else, in words
    that fit behind "is damaged:".
    """
    try:
        with ZipFile(file) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > most:
                raise ValueError(f"it would unpack to more than {most // 1_000_000} MB")
            return {_name(member): _array(_unpack(archive, member)) for member in members}
    except _READ_ERRORS as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _name(member: ZipInfo) -> str:
    if not member.filename.endswith(_SUFFIX):
        raise ValueError(f"it holds {member.filename!r}, which is no array")
    return member.filename.removesuffix(_SUFFIX)


def _unpack(archive: ZipFile, member: ZipInfo) -> bytes:
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ValueError("it is packed in an unusual way")
    with archive.open(member) as packed:
        # Asked for everything, zipfile would unpack everything, whatever size the member states.
        data = packed.read(member.file_size)
    if len(data) != member.file_size:
        raise ValueError("a part of it is cut off")
    return data


def _array(data: bytes) -> NDArray[Any]:
    preamble, length = data[: len(_MAGIC)], int.from_bytes(data[len(_MAGIC) : _HEADER_AT], "little")
    start = _HEADER_AT + length
    header = _HEADER.fullmatch(data[_HEADER_AT:start])
    if preamble != _MAGIC or header is None:
        raise ValueError("a part of it is not an array, or not one that mien writes")
    dtype = np.dtype(header["dtype"].decode())
    shape = tuple(int(length) for length in header["shape"].split(b",") if length.strip())
    if not dtype.itemsize or prod(shape) * dtype.itemsize != len(data) - start:
        raise ValueError("an array in it has not the size that it states")
    return np.frombuffer(data, dtype, offset=start).reshape(shape).copy()
