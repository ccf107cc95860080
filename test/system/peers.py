"""Programs that ./dev deps has unpacked into build-peers, and not installed."""
import os

import harness

ROOT = harness.ROOT / "build-peers" / "root"


def path(name, *folders):
    for folder in folders or ("usr/sbin", "usr/bin"):
        if (ROOT / folder / name).exists():
            return str(ROOT / folder / name)
    raise AssertionError(f"{name} is not in {ROOT}: ./dev deps brings it")


def environ(**more):
    """For a program of theirs, whose libraries lie beside it."""
    libraries = ":".join(str(folder) for folder in ROOT.glob("usr/lib/*-linux-gnu"))
    return dict(os.environ, LD_LIBRARY_PATH=libraries, **more)
