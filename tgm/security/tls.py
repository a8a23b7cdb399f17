"""The TLS of everything that TGM asks: the other side's name and authority are always checked."""

import ssl
from functools import cache
from pathlib import Path


# Reading the system's authorities takes about 20 ms and a MiB, and each bot that polls needs them.
@cache
def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return the one context for the system's authorities, or for those in `ca_file` alone.

    The file is read once. Everybody shares the context: never change it.
    """
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
