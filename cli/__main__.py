"""``python -m cli`` and ``python -m asr.cli``."""

from .main import main

if __name__ == "__main__":
    main()
