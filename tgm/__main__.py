"""`python -m tgm COMMAND`."""

import sys

from tgm.cli import main

if __name__ == "__main__":
    sys.exit(main())
