"""`python -m fastpptp` is `fastpptp`."""

from fastpptp.cli import main

if __name__ == "__main__":
    main()
