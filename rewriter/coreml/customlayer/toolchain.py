"""clang and GNUstep on this machine: what is there, what to install, and how the layer's sources are compiled."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rewriter.errors import RewriterError, UsageError

__all__ = [
    "HARNESS",
    "SOURCES",
    "STUBS",
    "XCODE",
    "CompileError",
    "Toolchain",
    "find_toolchain",
    "missing_packages",
]

_HERE = Path(__file__).parent
SOURCES = _HERE / "sources"
STUBS = _HERE / "stubs"
HARNESS = _HERE / "harness"
XCODE = _HERE / "xcode"

_WARNINGS = ("-Wall", "-Wextra", "-Werror")
_GNUSTEP_HEADERS = Path("/usr/include/GNUstep")
_IOS = "arm64-apple-ios13.0"
_MACH_O_64 = bytes.fromhex("cffaedfe")
_CPU_ARM64 = bytes.fromhex("0c000001")


class CompileError(RewriterError):
    """The sources of the custom layer do not compile; the message is the compiler's."""

    kind = "check_failed"


def missing_packages() -> list[str]:
    """Debian packages that the check needs and that are not installed."""
    missing = [] if shutil.which("clang") else ["clang"]
    if not (_GNUSTEP_HEADERS / "Foundation" / "Foundation.h").is_file() or not _runtime_headers():
        missing.append("libgnustep-base-dev")
    return missing


def _runtime_headers() -> list[Path]:
    """Directories with the Objective-C runtime's headers, the newest gcc's first."""
    found = Path("/usr/lib/gcc").glob("*/*/include/objc/objc.h")
    return sorted((header.parent.parent for header in found), reverse=True)


def find_toolchain() -> Toolchain:
    """The compiler of this machine.

    Raises:
        UsageError: a package is missing; the remedy is the command that installs it.
    """
    missing = missing_packages()
    if missing:
        raise UsageError(
            f"the check of the custom layer needs {' and '.join(missing)}",
            remedy=f"run: apt-get install --no-install-recommends {' '.join(missing)}",
        )
    return Toolchain(_runtime_headers()[0])


class Toolchain:
    """Compiles Objective-C against GNUstep's Foundation and this project's stand-ins for Apple's headers."""

    def __init__(self, runtime_headers: Path) -> None:
        # The layer is compiled with manual reference counting here, and with ARC for iOS.
        self._gnustep = (
            "-fobjc-runtime=gcc",
            "-fconstant-string-class=NSConstantString",
            "-fobjc-exceptions",
            "-fexceptions",
            f"-I{_GNUSTEP_HEADERS}",
            f"-I{runtime_headers}",
            f"-I{STUBS}",
        )

    def type_check(self, source: Path, *includes: Path) -> None:
        """Check an Objective-C file; a required method that is missing is an error.

        Raises:
            CompileError: the compiler complains.
        """
        self._clang("-x", "objective-c", "-fsyntax-only", *self._gnustep, *_paths(includes), str(source))

    def compile_for_ios(self, source: Path, target: Path, *includes: Path) -> None:
        """Compile a file to an arm64 object for iOS 13, Objective-C with ARC.

        Raises:
            CompileError: the compiler complains, or what it wrote is no such object.
        """
        freestanding = ("-ffreestanding", "-nostdlibinc", f"-I{STUBS / 'ios'}", f"-I{STUBS}")
        arc = ("-fobjc-arc",) if source.suffix == ".m" else ()
        arguments = (*freestanding, *arc, *_paths(includes), "-c", str(source), "-o", str(target))
        self._clang("-target", _IOS, *arguments)
        start = target.read_bytes()[:8]
        if start != _MACH_O_64 + _CPU_ARM64:
            raise CompileError("the compiler did not write an arm64 object", file=target)

    def link_harness(self, directory: Path, target: Path) -> None:
        """Compile and link the layer in `directory` with the harness that runs cases.

        Raises:
            CompileError: the compiler or linker complains.
        """
        objects = []
        for source in (directory / "RWAlignedResize.m", HARNESS / "fakes.m", HARNESS / "main.m"):
            objects.append(target.with_name(f"{source.stem}.o"))
            includes = _paths((directory, HARNESS))
            self._clang("-O1", *self._gnustep, *includes, "-c", str(source), "-o", str(objects[-1]))
        objects.append(target.with_name("rw_resize.o"))
        plain = ("-std=c11", "-O2", "-Wconversion", "-c", str(directory / "rw_resize.c"))
        self._clang(*plain, "-o", str(objects[-1]))
        names = [str(item) for item in objects]
        self._clang(*names, "-o", str(target), "-lgnustep-base", "-lobjc", "-lm")

    @staticmethod
    def _clang(*arguments: str) -> None:
        done = subprocess.run(["clang", *_WARNINGS, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CompileError(done.stderr.strip() or f"clang failed with exit code {done.returncode}")


def _paths(directories: Sequence[Path]) -> list[str]:
    return [f"-I{directory}" for directory in directories]
