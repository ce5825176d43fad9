"""``python -m sentiment_lstm``."""

from sentiment_lstm.cli.main import main

if __name__ == "__main__":
    main()
