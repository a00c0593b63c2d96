"""`python3 -m inveonimaging` is `inveon`."""

import sys


def main() -> None:
    """Run the command; imported only here, since processes of a batch import this module, too, and need none of it."""
    try:
        from inveonimaging.cli.main import app

        app(prog_name="inveon")
    except KeyboardInterrupt:  # of who waits for a slow disk, before a command runs
        sys.stderr.write("error: interrupted; nothing half-written is left behind\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
