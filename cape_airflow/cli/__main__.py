"""``python -m cape_airflow.cli``."""

from cape_airflow.cli.root import main

if __name__ == "__main__":
    main()
