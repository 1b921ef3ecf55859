"""The header of a sequence metafile, against headers written by hand."""

from __future__ import annotations

import pytest

from USGanSimLib.errors import UserError
from USGanSimLib.recording.metafile import read_header


def test_the_header_is_read_line_by_line_in_latin_1_up_to_the_pixels(a_metafile):
    path = a_metafile(
        DimSize="3                 2  2   ", Operator="Jos\xe9 = 1", Kinds="domain   domain list"
    )
    header = read_header(path)
    assert [header.layout.size(axis) for axis in "xyn"] == [3, 2, 2]
    assert header.fields == {"Operator": "Jos\xe9 = 1"}
    assert header.frame_fields == {"Timestamp": {0: "1.5", 1: "2.5"}}
    assert path.read_bytes()[header.data_offset :] == bytes(range(12))


def test_lines_may_end_as_on_windows(a_metafile):
    path = a_metafile(pixels=b"")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + bytes(range(12)))
    header = read_header(path)
    assert header.frame_fields["Timestamp"][1] == "2.5"
    assert path.read_bytes()[header.data_offset :] == bytes(range(12))


def test_frame_numbers_grow_a_digit_at_ten_thousand(a_metafile):
    header = read_header(
        a_metafile(frames="Seq_Frame9999_A = x\nSeq_Frame10000_A = y\nSeq_Frame123456_A = z\n")
    )
    assert header.frame_fields == {"A": {9999: "x", 10000: "y", 123456: "z"}}


@pytest.mark.parametrize(
    ("size", "kinds", "expected"),
    [
        ("3 2 2", None, (3, 2, 2)),
        ("3 2", None, (3, 2, 1)),
        ("3 2", "domain domain", (3, 2, 1)),
        ("3 2 1 5", None, (3, 2, 5)),
        ("3 2 1 5", "domain domain domain list", (3, 2, 5)),
        ("3 2 5", "domain domain time", (3, 2, 5)),
        ("0 0 7", "domain domain list", (0, 0, 7)),
    ],
)
def test_sizes_are_read_with_and_without_kinds(a_metafile, size, kinds, expected):
    header = read_header(a_metafile(DimSize=size, Kinds=kinds, NDims=str(len(size.split())), frames=""))
    assert tuple(header.layout.size(axis) for axis in "xyn") == expected


def test_a_line_that_is_repeated_without_a_change_is_no_error(a_metafile):
    path = a_metafile(
        frames="Kinds = domain domain list\nSeq_Frame0000_Timestamp = 1\nSeq_Frame0000_Timestamp = 1\n"
    )
    assert read_header(path).frame_fields == {"Timestamp": {0: "1"}}


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (
            "Kinds = list domain domain\n",
            "line 9: Kinds was 'domain domain list' before: 'list domain domain'",
        ),
        ("Seq_Frame0003_A = 1\nSeq_Frame0003_A = 2\n", "line 10: frame 3 has another A already: '2'"),
        ("\x00\x8fgarbage\n", r"line 9: no 'name = value': '\\x00\\x8fgarbage'"),
        ("Seq_Frame00x3_A = 1\n", "line 9: no field of a frame: 'Seq_Frame00x3_A'"),
        (f"Seq_Frame{'9' * 5000}_A = 1\n", "line 9: no field of a frame"),
        ("Seq_Frame0003 = 1\n", "line 9: no field of a frame: 'Seq_Frame0003'"),
    ],
)
def test_a_contradiction_or_garbage_is_refused_with_its_line(a_metafile, frames, said):
    with pytest.raises(UserError, match=said):
        read_header(a_metafile(frames=frames))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("DimSize", None, "has no DimSize"),
        ("ElementType", None, "has no ElementType"),
        ("DimSize", "3 two 2", "size as '3 two 2'"),
        ("DimSize", "3 -2 2", "size as '3 -2 2'"),
        ("DimSize", "3 2 0", "holds no frames"),
        ("DimSize", "3 2", "NDims = 3 and 2 sizes"),
        ("Kinds", "domain domain", "3 sizes .* 2 kinds"),
        ("Kinds", "domain domain domain", "volumes of 2 slices"),
        ("Kinds", "domain list list", "axes of the kinds 'domain list list'"),
        ("Kinds", "domain domain hue", "axes of the kinds 'domain domain hue'"),
        ("ElementNumberOfChannels", "none", "ElementNumberOfChannels as 'none'"),
        ("BinaryData", "False", "pixels as text"),
        ("DimSize", "3 2 99999999999999999999", "size as '3 2 99999999999999999999'"),
        ("DimSize", "3 2 " + "9" * 5000, "size as '3 2 999"),
        ("ElementNumberOfChannels", "9" * 5000, "ElementNumberOfChannels as '999"),
        ("ElementDataFile", "", "pixels in '', which is no file beside it"),
        ("ElementDataFile", ".", "pixels in '.', which is no file beside it"),
        ("ElementDataFile", "..", "pixels in '..', which is no file beside it"),
        ("ElementDataFile", "sub/pixels.raw", "pixels in 'sub/pixels.raw', which is no file beside it"),
    ],
)
def test_a_wrong_header_field_is_refused_with_what_it_says(a_metafile, field, value, said):
    with pytest.raises(UserError, match=said):
        read_header(a_metafile(**{field: value}))


def test_a_header_that_is_cut_off_is_refused_with_the_number_of_its_lines(a_metafile):
    path = a_metafile()
    path.write_bytes(path.read_bytes().partition(b"ElementDataFile")[0])
    with pytest.raises(UserError, match="ends after 10 lines, before the line ElementDataFile"):
        read_header(path)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" * 9, b"ObjectType = Scene\n", b"{}"])
def test_another_kind_of_file_is_refused(tmp_path, content):
    path = tmp_path / "x.igs.mha"
    path.write_bytes(content)
    with pytest.raises(UserError, match="neither a MetaImage nor an NRRD"):
        read_header(path)
