"""`python -m openmiosa.cli` is the `openmiosa` command."""

import sys

from . import main

sys.exit(main())
