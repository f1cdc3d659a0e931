"""Start the app: `python app.py`, see `python app.py --help`. Also the entry point of a Hugging Face Space."""

from app.main import main

if __name__ == "__main__":
    main()
