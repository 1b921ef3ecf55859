"""Tables of poses: CSV, TSV, words with blanks between, or JSON, a row for each image or moment.

The columns say what a row is, whatever their order and case:
- `m00` … `m33` (row, column), or without the last row: a matrix of 4×4. JSON may have it as `matrix`.
- `tx`, `ty`, `tz` with `qx`, `qy`, `qz`, `qw`: a translation and a quaternion.
- `tx`, `ty`, `tz` with `rx`, `ry`, `rz`: a translation and Euler's angles, whose order must be given.
- `file` (also `name`, `image`), `frame`, `time_s` (also `time`, `timestamp`): what the row belongs to.
- `valid`: 1, true or OK; anything else is a moment without tracking, as is a row without numbers.
Lengths and angles can have their unit in the column's name (`tx_mm`, `ty_cm`, `rx_deg`); otherwise it must be given.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...errors import UserError
from ...geometry.transforms import Matrix

MM_OF = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
ANGLES = ("deg", "rad")
_MATRIX = [f"m{row}{column}" for row in range(3) for column in range(4)]
_LAST_ROW = [f"m3{column}" for column in range(4)]
_TRANSLATION, _QUATERNION, _EULER = ["tx", "ty", "tz"], ["qx", "qy", "qz", "qw"], ["rx", "ry", "rz"]
_SAME = {
    "file": ("file", "name", "image", "filename", "file_name"),
    "frame": ("frame", "frame_number", "index"),
    "time_s": ("time_s", "time", "timestamp", "timestamp_s"),
    "valid": ("valid", "status"),
}
_VALID = ("1", "1.0", "true", "ok", "yes")
_UNIT_NORM = 1e-2
_LARGEST_BYTES = 500_000_000

Row = Mapping[str, str]


@dataclass(frozen=True)
class PoseWords:
    """What a table cannot say by itself; None where it has not been given.

    unit    of lengths: mm, cm or m
    angles  deg or rad
    euler   order of the angles as scipy takes it: three of xyz (about fixed axes, one after the other) or of XYZ
            (about the turned ones); rx, ry, rz are the angles about x, y, z
    """

    unit: str | None = None
    angles: str | None = None
    euler: str | None = None


@dataclass(frozen=True, eq=False)
class PoseTable:
    """(N, 4, 4) poses in mm, which of them are valid, and what the rows belong to, as far as the table says it."""

    matrices: Matrix
    valid: NDArray[np.bool_]
    files: tuple[str, ...] | None
    frames: tuple[int, ...] | None
    times_s: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.matrices)


def read_pose_table(path: Path, words: PoseWords = PoseWords()) -> PoseTable:
    """Read a table. Raises UserError, with the row or the column, for what is no such table or cannot be told."""
    rows = _rows(path)
    if not rows:
        raise UserError(f"{path.name} has no row of poses.", "Give a table with a heading and a row a pose.")
    columns = {_name(column): column for column in rows[0]}
    reader = _Columns(path.name, columns, words)
    found = [reader.matrix(row, number) for number, row in enumerate(rows, 1)]
    valid = np.array([matrix is not None for matrix in found])
    keys = {key: reader.key(key) for key in _SAME}
    if keys["valid"]:
        valid &= [str(row[keys["valid"]]).strip().lower() in _VALID for row in rows]
    frames = reader.numbers(rows, keys["frame"])
    times_s = reader.numbers(rows, keys["time_s"])
    return PoseTable(
        np.stack([np.eye(4) if matrix is None else matrix for matrix in found]),
        valid,
        None if keys["file"] is None else tuple(str(row[keys["file"]]).strip() for row in rows),
        None if frames is None else tuple(int(frame) for frame in frames),
        times_s,
    )


class _Columns:
    """How the columns of a table become a matrix."""

    def __init__(self, table: str, columns: Mapping[str, str], words: PoseWords) -> None:
        self._table, self._columns = table, columns
        rotations = [names for names in (_MATRIX, _QUATERNION, _EULER) if self._all(names)]
        translated = rotations == [_MATRIX] or self._all(_TRANSLATION)
        if len(rotations) != 1 or not translated:
            known = ", ".join(list(columns.values())[:20])
            raise UserError(
                f"{table} has the columns {known}, which are no poses.",
                "Name them m00 … m33 (row, column), or tx, ty, tz with qx, qy, qz, qw or with rx, ry, rz.",
            )
        (self._rotation,) = rotations
        lengths = self._lengths
        self._mm = MM_OF[_told(self._units(lengths), words.unit, table, "lengths", "--unit mm, cm or m")]
        self._euler, self._degrees = words.euler, True
        if self._rotation == _EULER:
            angles = _told(self._units(_EULER), words.angles, table, "angles", "--angles deg or rad")
            self._degrees = angles == "deg"
            if self._euler is None:
                raise UserError(
                    f"{table} has Euler's angles, whose order it does not say.",
                    "Give --euler, for example xyz about fixed axes or ZYX about the turned ones.",
                )

    @property
    def _lengths(self) -> list[str]:
        return [f"m{row}3" for row in range(3)] if self._rotation == _MATRIX else _TRANSLATION

    def key(self, kind: str) -> str | None:
        """The column of this kind, as the table writes it."""
        return next((self._columns[name] for name in _SAME[kind] if name in self._columns), None)

    def numbers(self, rows: Sequence[Row], column: str | None) -> NDArray[np.float64] | None:
        """A column of finite numbers, None where there is none."""
        if column is None:
            return None
        found = [self._number(row[column]) for row in rows]
        for number, value in enumerate(found, 1):
            if not math.isfinite(value):
                raise UserError(
                    f"Row {number} of {self._table} has '{str(rows[number - 1][column])[:40]}' as {column}.",
                    "Give a number.",
                )
        return np.array(found)

    def matrix(self, row: Row, number: int) -> Matrix | None:
        """The pose of a row in mm, None where it has none."""
        values = self._values(row, self._rotation)
        if self._rotation != _MATRIX:
            values = np.concatenate([self._values(row, _TRANSLATION), values])
        if np.isnan(values).any():
            return None
        matrix = np.eye(4)
        if self._rotation == _MATRIX:
            matrix[:3] = values.reshape(3, 4)
            self._require_last_row(row, matrix, number)
        else:
            matrix[:3, 3] = values[:3]
            matrix[:3, :3] = self._turned(values[3:], number)
        matrix[:3, 3] *= self._mm
        return matrix

    def _turned(self, values: NDArray[np.float64], number: int) -> Matrix:
        if self._rotation == _EULER:
            assert self._euler is not None
            about = dict(zip("xyz", values, strict=True))
            angles = [about[axis] for axis in self._euler.lower()]
            turned: Matrix = Rotation.from_euler(self._euler, angles, self._degrees).as_matrix()
            return turned
        norm = float(np.linalg.norm(values))
        if abs(norm - 1) > _UNIT_NORM:
            raise UserError(
                f"Row {number} of {self._table} has a quaternion of length {norm:.3g}, which is no rotation.",
                "Give quaternions of length 1; leave the row empty where there is no pose.",
            )
        matrix: Matrix = Rotation.from_quat(values).as_matrix()
        return matrix

    def _require_last_row(self, row: Row, matrix: Matrix, number: int) -> None:
        if not self._all(_LAST_ROW):
            return
        last = self._values(row, _LAST_ROW)
        if np.allclose(last, (0, 0, 0, 1), atol=1e-6):
            return
        transposed = np.allclose(matrix[:3, 3], 0) and math.isclose(last[3], 1)
        raise UserError(
            f"Row {number} of {self._table} has {', '.join(f'{value:g}' for value in last)} as its matrix's last "
            "row.",
            "It seems to be written column by column; write it row by row."
            if transposed
            else "It must be 0, 0, 0, 1.",
        )

    def _values(self, row: Row, names: Sequence[str]) -> NDArray[np.float64]:
        return np.array([self._number(row[self._columns[self._full(name)]]) for name in names])

    def _full(self, name: str) -> str:
        """The column's name, which may end with a unit."""
        return next(full for full in self._columns if re.fullmatch(rf"{name}(_(mm|cm|m|deg|rad))?", full))

    def _all(self, names: Sequence[str]) -> bool:
        return all(
            any(re.fullmatch(rf"{name}(_(mm|cm|m|deg|rad))?", full) for full in self._columns)
            for name in names
        )

    def _units(self, names: Sequence[str]) -> set[str]:
        """The units that the names of columns end with."""
        return {self._full(name)[len(name) + 1 :] for name in names}

    @staticmethod
    def _number(value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            return math.nan
        return number if math.isfinite(number) else math.nan


def _told(in_names: set[str], given: str | None, table: str, what: str, option: str) -> str:
    """The unit that the columns' names tell, or the one that is given."""
    (name,) = in_names if len(in_names) == 1 else [""]
    if len(in_names) > 1:
        raise UserError(f"{table} has {what} in {' and '.join(sorted(in_names))}.", "Use one unit for all.")
    if not name and given is None:
        raise UserError(f"{table} does not say the unit of its {what}.", f"Give {option}.")
    if name and given not in (None, name):
        raise UserError(
            f"{table} has {what} in {name}, and {given} was given.", f"Leave out {option.split()[0]}."
        )
    return name or str(given)


def _name(column: str) -> str:
    return column.strip().lower().lstrip("\ufeff")


def _rows(path: Path) -> list[Row]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise UserError(
                f"{path.name} is larger than {_LARGEST_BYTES // 10**6} MB.", "Give a table of poses."
            )
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(f"{path} cannot be read: {reason}.", "Check the path.") from error
    return _json_rows(text, path.name) if path.suffix.lower() == ".json" else _text_rows(text, path.name)


def _text_rows(text: str, table: str) -> list[Row]:
    heading = text.lstrip().split("\n", 1)[0]
    separator = next((sign for sign in "\t;," if sign in heading), None)
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if separator is None:
        split = [line.split() for line in lines]
    else:
        try:
            split = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))
        except csv.Error as error:
            raise UserError(f"{table} is no table ({error}).", "Give CSV, TSV or JSON.") from error
    if not split:
        return []
    columns, *rows = split
    if all(not math.isnan(_Columns._number(word)) for word in columns):
        raise UserError(
            f"{table} has no heading; its first row is {', '.join(columns[:4])} …",
            "Name the columns, for example m00,m01,…,m33 or tx,ty,tz,qx,qy,qz,qw.",
        )
    _require_once([_name(column) for column in columns], table)
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            raise UserError(
                f"Row {number} of {table} has {len(row)} values, its heading {len(columns)}.", "Complete it."
            )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _json_rows(text: str, table: str) -> list[Row]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{table} is no JSON ({str(error)[:80]}).", "Give a list of poses.") from error
    if isinstance(content, dict):
        content = next((value for value in content.values() if isinstance(value, list)), None)
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise UserError(f"{table} holds no list of poses.", 'Give [{"file": …, "matrix": [[…], …]}, …].')
    rows = [_flat(row, number, table) for number, row in enumerate(content, 1)]
    for number, row in enumerate(rows, 1):
        if row.keys() != rows[0].keys():
            raise UserError(
                f"Row {number} of {table} has other keys than row 1.", "Give all rows the same keys."
            )
    return rows


def _flat(row: Mapping[str, Any], number: int, table: str) -> Row:
    """A row of JSON with its matrix, if any, as sixteen columns."""
    flat = {str(key): value for key, value in row.items() if _name(str(key)) != "matrix"}
    matrix = next((value for key, value in row.items() if _name(str(key)) == "matrix"), None)
    if matrix is not None:
        try:
            values = np.array(matrix, np.float64).reshape(4, 4)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"The matrix of row {number} of {table} is no 4×4.", "Give 16 numbers."
            ) from error
        flat |= {f"m{row}{column}": str(values[row, column]) for row in range(4) for column in range(4)}
    return flat


def _require_once(names: Sequence[str], table: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{table} has the column {twice[0]} twice.", "Give every column a name of its own.")
