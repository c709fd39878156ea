"""``python -m cape_airflow.engines.spark.package OUT.zip``: cape_airflow for executors, without Airflow.

The zip is for `py_files` of the operator, or ``--py-files``. It holds Python only: executors run twins of the native
kernels, with the same results. For native kernels install the wheel into the executors' environment, or ship that
environment as an archive (docs/spark.md).
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import cape_airflow
from cape_airflow.errors import CapeError

_NOT_FOR_EXECUTORS = {
    "cli",
    "coordinator",
    "example_dags",
    "hooks",
    "operators",
    "plugins",
    "sensors",
    "triggers",
    "provider_info.py",
}
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_package(out: Path) -> int:
    """Write the zip, with the same bytes for the same code; return its files.

    Args:
        out: name of the zip.

    Raises:
        CapeError: the name does not end in .zip, by which Spark knows what to do with it.
    """
    if out.suffix != ".zip":
        raise CapeError(f"{out} does not end in .zip, by which Spark knows what it is")
    home = Path(cape_airflow.__file__).parent
    files = [path for path in sorted(home.rglob("*.py")) if path.relative_to(home).parts[0] not in _NOT_FOR_EXECUTORS]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for path in files:
            name = zipfile.ZipInfo(str(path.relative_to(home.parent)), _EPOCH)
            name.external_attr = 0o644 << 16
            package.writestr(name, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return len(files)


def main() -> None:
    """Write the zip that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m cape_airflow.engines.spark.package OUT.zip")
    try:
        count = write_package(Path(sys.argv[1]))
    except (CapeError, OSError) as error:
        sys.exit(str(error))
    sys.stdout.write(f"{count} modules in {sys.argv[1]}\n")


if __name__ == "__main__":
    main()
