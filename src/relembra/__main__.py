"""`python -m relembra`, the same as the command `relembra`."""

import sys

from relembra.cli import main

sys.exit(main())
