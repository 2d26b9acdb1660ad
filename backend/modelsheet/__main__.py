"""`python -m modelsheet` is the command line."""

from modelsheet.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
