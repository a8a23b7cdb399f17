"""Small pictures, made here."""

import struct
import zlib


def a_png(red: int = 15, green: int = 118, blue: int = 110, pixels: int = 160) -> bytes:
    """Return a square, its upper half in the colour and its lower half in half of it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    def rows(*colour: int) -> bytes:
        return (b"\0" + bytes(colour) * pixels) * (pixels // 2)

    head = struct.pack(">IIBBBBB", pixels, pixels, 8, 2, 0, 0, 0)
    data = zlib.compress(rows(red, green, blue) + rows(red // 2, green // 2, blue // 2))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
