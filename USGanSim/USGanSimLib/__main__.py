"""`python -m USGanSimLib COMMAND`."""

import sys

from .cli import main

sys.exit(main())
