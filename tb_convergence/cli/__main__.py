"""`python -m tb_convergence.cli` is the command `tb-convergence`."""

import sys

from tb_convergence.cli import main

if __name__ == "__main__":
    sys.exit(main())
