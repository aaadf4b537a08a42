"""Makes .venv, the Python environment of this checkout, from a lock file; does nothing when it is up to date.

    python3 -I knative/local/bootstrap.py requirements.lock

It runs before anything is installed: standard library only. There is no `from __future__ import annotations` and no
syntax newer than Python 3.6 in it, so that an old Python reaches the check below instead of a SyntaxError.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "audiolift needs Python 3.11 or later, and {} is {}.{}.\nInstall a newer one and name it, for example: "
        "make demo PYTHON=python3.12".format(sys.executable, *sys.version_info[:2])
    )

import contextlib
import errno
import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

__all__ = [
    "SetupFailed",
    "can_install_debian_packages",
    "ensure",
    "explain",
    "install_debian_packages",
    "main",
    "refresh_debian_package_lists",
]

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = os.path.realpath(sys.executable)
THIS_PYTHON = "# Python {} at {}".format(sys.version.split()[0], INTERPRETER)

DISK_FULL = "the disk is full: up to 1 GB is needed here and in the temporary directory. Make room and run make again."
READ_ONLY = "{} cannot be written to: make it yours (chown), or clone audiolift to a place of your own."
NO_VENV = (
    "this Python has no venv module with pip in it. Install it, then run make again:\n"
    "    sudo apt-get install python3-venv"
)
NEARLY_FULL = 16 << 20
CAUSES = (
    ("No space left on device|Disk quota exceeded", DISK_FULL),
    (
        "DO NOT MATCH THE HASHES",
        "a package that was fetched is not the one the lock file names, so it was refused. Run make again; if that "
        "does not help, something between here and the package index changes what it sends.",
    ),
    (
        "Permission denied",
        "the directory .venv belongs to somebody else. Remove it (sudo rm -rf .venv), then run make again.",
    ),
    (
        "name resolution|Name or service not known|Failed to resolve|establish a new connection|Connection refused"
        "|Network is unreachable|ProxyError|[Tt]imed out|Temporary failure",
        "packages could not be fetched: is there a network, and are pip's proxy settings right? Then run make again.",
    ),
    (
        "No matching distribution found",
        "a package of the lock file is not to be had for this Python and machine. Try another Python between 3.11 and "
        "3.14: make demo PYTHON=python3.12",
    ),
)


class SetupFailed(Exception):
    """The environment could not be made; the message says why and what to do next."""


def main(arguments: Sequence[str]) -> int:
    """Brings the environment up to the lock file named by the one argument; the exit status."""
    try:
        ensure(ROOT, arguments[0])
    except SetupFailed as problem:
        print("audiolift: {}".format(problem), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\naudiolift: stopped; the next make starts the setup afresh.", file=sys.stderr)
        return 130
    return 0


def ensure(root: Path, lock_name: str) -> None:
    """Makes root/.venv hold what the lock file root/lock_name pins, one process at a time.

    Raises: SetupFailed.
    """
    try:
        if not _is_current(root, lock_name):
            with _alone(root) as turn:
                if not _is_current(root, lock_name):
                    _set_up(root, lock_name, turn)
    except OSError as error:
        raise SetupFailed(_explain_os_error(error, root)) from error


def explain(output: str) -> str:
    """What a failed installer's output means for the person who waits for it, and what to do next."""
    for pattern, meaning in CAUSES:
        if re.search(pattern, output):
            return meaning
    return "it did not work; the last that was said:\n\n{}".format("\n".join(output.splitlines()[-15:]))


def install_debian_packages(*packages: str) -> None:
    """Installs Debian packages; for root on a machine that has apt-get.

    Raises: SetupFailed with what apt-get said.
    """
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "--yes", "--no-install-recommends"]
    _run([*apt, *packages], environment=environment)


def can_install_debian_packages() -> bool:
    """Whether this process may install Debian packages."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def refresh_debian_package_lists() -> None:
    """Fetches the lists of Debian packages; a list that cannot be had is not an error before something is missing."""
    subprocess.run(["apt-get", "update"], stdin=subprocess.DEVNULL, capture_output=True, check=False)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[int]:
    """Waits until no other process sets up the environment; yields the descriptor that holds the turn."""
    turn = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another make is setting up the Python environment; waiting for it ...")
            fcntl.flock(turn, fcntl.LOCK_EX)
        yield turn
    finally:
        os.close(turn)


def _is_current(root: Path, lock_name: str) -> bool:
    """Whether all that the lock file pins was installed, to the end, for this very Python."""
    installed = _installed(root)
    return THIS_PYTHON in installed and _lines(root / lock_name) <= installed


def _installed(root: Path) -> set[str]:
    """The stamp: the Python and the lines of the lock file of the last setup that came to its end; else nothing.

    As lines, so that the environment of the tests is good for `make run` too: it has the smaller one's lines.
    """
    interpreter = root / ".venv" / "bin" / "python"
    stamp = _stamp(root)
    return _lines(stamp) if stamp.exists() and interpreter.exists() else set()


def _lines(path: Path) -> set[str]:
    """The lines of a lock file or stamp, without the comments on which package wants which."""
    return {line.strip().rstrip(" \\") for line in path.read_text().splitlines() if not line.startswith("    #")}


def _stamp(root: Path) -> Path:
    return root / ".venv" / "audiolift.stamp"


def _set_up(root: Path, lock_name: str, turn: int) -> None:
    if not os.access(root, os.W_OK):
        raise SetupFailed(READ_ONLY.format(root))
    _say("setting up audiolift's Python environment (once, about half a minute) ...")
    whole = THIS_PYTHON in _installed(root)
    _stamp(root).unlink(missing_ok=True)
    if not whole:
        _make_environment(root, turn)
    _install(root, lock_name, turn)
    _write_stamp(root, lock_name)
    _say("the Python environment is ready.")


def _make_environment(root: Path, turn: int) -> None:
    """Makes an empty .venv, with a pip of its own where this Python can give it one."""
    pip = [] if _has_ensurepip() else ["--without-pip"]
    _run([INTERPRETER, "-I", "-m", "venv", "--clear", *pip, str(root / ".venv")], turn=turn)


def _has_ensurepip() -> bool:
    """Whether venv can put pip into an environment; installs what Debian leaves out of python3 where that is allowed.

    Raises: SetupFailed when neither ensurepip nor a pip that could stand in for it is to be had.
    """
    if _is_there("venv", "ensurepip"):
        return True
    if INTERPRETER.startswith("/usr/bin/") and can_install_debian_packages() and _may_install("python3-venv"):
        refresh_debian_package_lists()
        install_debian_packages("python3-venv")
        return _is_there("venv", "ensurepip")
    if not _is_there("venv") or not _outer_pip_serves():
        raise SetupFailed(NO_VENV)
    return False


def _may_install(package: str) -> bool:
    """Asks whoever sits at the terminal; where nobody does, as in a container's build, it says so and goes on."""
    if not sys.stdin.isatty():
        _say("installing {}, which Debian packages apart from python3 ...".format(package))
        return True
    answer = input("{} is missing, which Debian packages apart from python3. Install it now? [Y/n] ".format(package))
    return answer.strip().lower() in ("", "y", "yes")


def _is_there(*modules: str) -> bool:
    importlib.invalidate_caches()
    found = [importlib.util.find_spec(module) for module in modules]
    # A directory that an uninstalled package left behind is found too, but has no origin.
    return all(spec and spec.origin for spec in found)


def _outer_pip_serves() -> bool:
    """Whether this Python has a pip that can install into another environment (pip 22.3)."""
    command = [INTERPRETER, "-m", "pip", "--python", INTERPRETER, "--version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _install(root: Path, lock_name: str, turn: int) -> None:
    inner = root / ".venv" / "bin" / "python"
    has_pip = (root / ".venv" / "bin" / "pip").exists()
    pip = [str(inner), "-I", "-m", "pip"] if has_pip else [INTERPRETER, "-m", "pip", "--python", str(inner)]
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2"]
    _run([*pip, "install", *quiet, "--require-hashes", "--requirement", str(root / lock_name)], turn=turn)


def _write_stamp(root: Path, lock_name: str) -> None:
    draft = _stamp(root).with_suffix(".new")
    draft.write_text("{}\n{}".format(THIS_PYTHON, (root / lock_name).read_text()))
    draft.replace(_stamp(root))


def _run(command: Sequence[str], turn: int = -1, environment: Mapping[str, str] = os.environ) -> None:
    """Runs a command in silence. It inherits the turn, so that nobody else starts before it ends even if we are killed.

    Raises: SetupFailed with what its output means.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env=environment,
        pass_fds=[turn] if turn >= 0 else [],
    )
    if done.returncode:
        raise SetupFailed(DISK_FULL if _is_disk_full() else explain(done.stdout))


def _is_disk_full() -> bool:
    """Whether there is no room, which not every tool says when it fails for that reason."""
    return any(shutil.disk_usage(place).free < NEARLY_FULL for place in (ROOT, tempfile.gettempdir()))


def _explain_os_error(error: OSError, root: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DISK_FULL
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return READ_ONLY.format(error.filename or root)
    return str(error)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
