#!/usr/bin/env python3
"""Lints proto/ with buf under proto/buf.yaml: buf_lint.py BUILD_DIR.

Takes buf from PATH, else the pinned release from the npm registry, checked against its
digest and kept in BUILD_DIR/buf. Where it cannot be had, prints why and exits 77: the
test counts as skipped.
"""
import base64
import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import urllib.request

VERSION = "1.75.0"
SHA512 = {  # of the package @bufbuild/buf-PLATFORM, as the registry states it
    "linux-x64": "YGGJAx0lpMCE7aMWjNOJcfoEaG/e+iYHnTC4SZ0P5eS4IffMryA9Z4/bb1m1wNXAEJ8ATFMEZOAk/5x9VE47ig==",
    "linux-aarch64": "eX+XyokzJDqsNIFo8b1O3DBvbnksOozPJX4QVsNn61JqSUtWspyTNeYqwg8lRDancML+bDqZEDFPABjAsVCQGQ==",
}
REGISTRY = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = 77


def skip(why):
    print(f"buf is not to be had: {why}")
    sys.exit(SKIPPED)


def download(folder):
    """Puts the pinned buf into `folder`; returns its path."""
    name = "linux-" + {"x86_64": "x64"}.get(platform.machine(), platform.machine())
    if name not in SHA512:
        skip(f"no release is pinned for {name}")
    url = f"{REGISTRY}/@bufbuild/buf-{name}/-/buf-{name}-{VERSION}.tgz"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            package = answer.read()
    except OSError as error:
        skip(f"{url}: {error}")
    if base64.b64encode(hashlib.sha512(package).digest()).decode() != SHA512[name]:
        sys.exit(f"{url} is not the pinned release: its digest differs")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"buf-{VERSION}")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        program = archive.extractfile("package/bin/buf").read()
    with open(path + ".part", "wb") as file:
        file.write(program)
    os.chmod(path + ".part", 0o755)
    os.rename(path + ".part", path)
    return path


def main():
    folder = os.path.join(sys.argv[1], "buf")
    pinned = os.path.join(folder, f"buf-{VERSION}")
    buf = pinned if os.path.exists(pinned) else shutil.which("buf") or download(folder)
    environment = {**os.environ, "BUF_CACHE_DIR": os.path.join(folder, "cache")}
    done = subprocess.run([buf, "lint", "proto"], cwd=ROOT, env=environment, check=False)
    sys.exit(1 if done.returncode else 0)


if __name__ == "__main__":
    main()
