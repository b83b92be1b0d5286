"""The finder finds what it must, or every row would pass by blindness."""

import base64
import urllib.parse
from pathlib import Path

import pytest

from .canary import LENGTH, Finder, canary, encodings


def test_a_canary_has_forty_bytes_and_is_unique():
    assert len(canary().encode()) == LENGTH
    assert canary() != canary()


def test_there_are_thirteen_encodings():
    assert len(encodings(canary())) == 13


@pytest.mark.parametrize("encoding", list(encodings(canary())))
def test_each_encoding_is_found_in_the_middle_of_other_bytes(encoding: str):
    value = canary()
    for needle in encodings(value)[encoding]:
        assert list(Finder([value]).in_bytes(b"before " + needle + b" after", "here"))


@pytest.mark.parametrize("before", ["", "a", "ab", "user:", "token="])
def test_base64_is_found_at_every_alignment(before: str):
    value = canary()
    assert list(Finder([value]).in_bytes(base64.b64encode(f"{before}{value}!".encode()), "here"))
    assert list(Finder([value]).in_bytes(base64.urlsafe_b64encode(f"{before}{value}!".encode()), "here"))


def test_a_quoted_query_is_found():
    value = canary()
    assert list(Finder([value]).in_bytes(urllib.parse.urlencode({"key": value}).encode(), "here"))


def test_other_bytes_are_not_a_sighting(tmp_path: Path):
    (tmp_path / "file").write_text(canary())
    assert list(Finder([canary()]).in_folder(tmp_path)) == []


def test_a_canary_in_a_file_is_found(tmp_path: Path):
    value = canary()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"x" * 5000 + value.encode("utf-16-le"))
    assert [sighting.where for sighting in Finder([value]).in_folder(tmp_path)] == ["deep/file"]
