"""The forms in which a value could hide, as byte strings to search for."""

import base64
from collections.abc import Callable
from urllib.parse import quote


def encodings(value: str) -> dict[bytes, str]:
    """Each form of `value` with the name of its encoding; forms that coincide are kept once."""
    raw = value.encode()
    forms = {
        "as it is": raw,
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "hex, upper case": raw.hex().upper().encode(),
        "percent": quote(value, safe="").encode(),
        "percent, every byte": b"".join(b"%%%02X" % byte for byte in raw),
        "percent, every byte, lower case": b"".join(b"%%%02x" % byte for byte in raw),
        "JSON \\u": "".join(f"\\u{ord(letter):04x}" for letter in value).encode(),
        "HTML entities": "".join(f"&#{ord(letter)};" for letter in value).encode(),
        "UTF-16LE": value.encode("utf-16-le"),
        "UTF-16BE": value.encode("utf-16-be"),
    }
    for shift in range(3):
        forms[f"base64, shifted by {shift}"] = _base64_core(raw, shift, base64.b64encode)
        forms[f"base64url, shifted by {shift}"] = _base64_core(raw, shift, base64.urlsafe_b64encode)
    kept: dict[bytes, str] = {}
    for name, form in forms.items():
        kept.setdefault(form, name)
    return kept


def _base64_core(raw: bytes, shift: int, encode: Callable[[bytes], bytes]) -> bytes:
    """The letters of the encoding that depend on `raw` alone, whatever stands before and after it."""
    text = encode(b"\0" * shift + raw).rstrip(b"=")
    first = {0: 0, 1: 2, 2: 3}[shift]
    last = len(text) - (1 if (shift + len(raw)) % 3 else 0)
    return text[first:last]
