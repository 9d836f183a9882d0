"""Fetch FashionMNIST for `make demo` from Debian's package, without root and without installing it.

usage: fetch_fashion_mnist.py [FOLDER]        (default .data; the files go to FOLDER/fashion-mnist)

It does nothing if the data are already there. If apt is missing or fails, it searches where
nengo_phasor.datasets does, including Keras' download.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nengo_phasor import datasets

PACKAGE = datasets.DATASETS["fashion_mnist"].debian_package


def apt_get(folder: Path, *arguments: str) -> None:
    """Run apt-get in a folder; its last line of output is the message if it fails."""
    command = ["apt-get", "-q", *arguments]
    print("$", *command, flush=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise RuntimeError(f"apt-get: {lines[-1]}")


def download(folder: Path) -> None:
    """Download the package into ``folder``."""
    try:
        apt_get(folder, "download", PACKAGE)
    except RuntimeError as error:
        print(f"{error}\nReading the package lists into a temporary folder (needs no root) ...")
        # Only the system's own lists belong to root: `apt-get update` can write others.
        options = ("-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache")
        options += ("-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none")
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "cache" / "archives" / "partial").mkdir(parents=True)
        apt_get(folder, *options, "update")
        apt_get(folder, *options, "download", PACKAGE)


def fetch(target: Path) -> None:
    """Check the package's files and put all of them, or none, into ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as temporary:
        folder = Path(temporary).resolve()
        download(folder)
        (package,) = folder.glob(f"{PACKAGE}_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "unpacked")], check=True)
        files = folder / "unpacked" / "usr" / "share" / "datasets" / "fashion-mnist"
        datasets.fashion_mnist(files)
        if target.exists():
            shutil.rmtree(target)
        os.replace(files, target)


def main(folder: str = ".data") -> int:
    """Return the exit status."""
    for place in (datasets.DEBIAN, Path(folder)):
        files = place / "fashion-mnist"
        if files.exists():
            try:
                datasets.fashion_mnist(files)
                print(f"FashionMNIST: {files}")
                return 0
            except datasets.DatasetError as error:
                print(error)
    try:
        missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
        if missing:
            raise RuntimeError(f"{' and '.join(missing)} not found: not a Debian system?")
        print(f"FashionMNIST: fetching Debian's package {PACKAGE} (30 MB) into {files}")
        fetch(files)
        print("FashionMNIST: done, all four files checked")
        return 0
    except (RuntimeError, subprocess.CalledProcessError, OSError) as error:
        print(f"FashionMNIST: not from Debian's package ({error}); trying other locations")
    try:
        datasets.fashion_mnist()
        print("FashionMNIST: found")
        return 0
    except datasets.DatasetError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
