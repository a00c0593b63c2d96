"""`python3 -m inveonimaging` is `inveon`."""

from inveonimaging.cli.main import app

if __name__ == "__main__":
    app(prog_name="inveon")
