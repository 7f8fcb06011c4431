"""The Python environment of the scripts here: made once under `target/service-table`, with pinned packages."""

import pathlib
import subprocess
import sys

ENVIRONMENT = pathlib.Path(__file__).resolve().parents[3] / "target" / "service-table"
# The botocore of boto3 in tests/python/requirements.txt.
PACKAGES = ["botocore==1.43.102", "lz4==4.4.4"]


def enter(script):
    """Runs the script in the environment instead of this process, unless this is the environment."""
    if pathlib.Path(sys.prefix) == ENVIRONMENT:
        return
    stamp = ENVIRONMENT / "packages.txt"
    if not stamp.exists() or stamp.read_text() != "\n".join(PACKAGES):
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        pip = [ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run(pip + PACKAGES, check=True)
        stamp.write_text("\n".join(PACKAGES))
    sys.exit(subprocess.run([ENVIRONMENT / "bin" / "python", "-B", script, *sys.argv[1:]]).returncode)
