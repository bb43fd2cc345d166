"""`python -m streams`: the `freshax` command without the console script."""

from streams.cli import main

if __name__ == "__main__":
    main()
