"""`python3 -m inveonimaging` is `inveon`."""


def main() -> None:
    """Run the command; imported only here, since processes of a batch import this module, too, and need none of it."""
    from inveonimaging.cli.main import app

    app(prog_name="inveon")


if __name__ == "__main__":
    main()
