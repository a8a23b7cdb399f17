"""`python -m tests.crash [KILLS]`: the whole crash test, with its counts printed."""

import sys
import tempfile
import time
from pathlib import Path

from tests.crash.driver import run


def main() -> int:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tgm-crash-") as folder:
        counts = run(Path(folder), kills=kills)
    print(counts)
    print(f"{'seconds in all':>18}  {time.monotonic() - began:>9.1f}")
    print("Nothing was lost." if counts.is_good else "THIS MUST NOT BE.")
    return 0 if counts.is_good else 1


sys.exit(main())
