from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cape_airflow.transformations import reference


def test_the_page_in_the_documentation_is_current(repository: Path) -> None:
    written = (repository / "docs" / "transformations.md").read_text(encoding="utf-8")
    assert written == reference.page(), f"run: python -m {reference.__name__} > docs/transformations.md"


def test_the_module_writes_the_page(repository: Path) -> None:
    command = [sys.executable, "-m", "cape_airflow.transformations.reference"]
    result = subprocess.run(command, capture_output=True, check=True, cwd=repository, timeout=60)
    assert result.stdout.decode() == reference.page()
