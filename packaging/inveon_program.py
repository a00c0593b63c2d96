"""What the frozen program runs: every command; without any, as after a double click, the app."""

from __future__ import annotations

import multiprocessing
import sys


def main() -> None:
    """Run the command."""
    multiprocessing.freeze_support()  # a job's process begins here, too
    from inveonimaging.__main__ import main as run

    if not sys.argv[1:]:
        sys.argv.append("app")
    run()


if __name__ == "__main__":
    main()
