"""Builds the extension. FASTPPTP_DEBUG, FASTPPTP_SANITIZE and FASTPPTP_COVERAGE (=1) change how."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup

HERE = Path(__file__).parent
UNITS = Path("src/fastpptp/dataplane")


def switched(name: str) -> bool:
    return os.environ.get(f"FASTPPTP_{name}", "0") not in ("", "0")


debug, sanitize, coverage = map(switched, ("DEBUG", "SANITIZE", "COVERAGE"))
flags = ["-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-fno-strict-aliasing"]
flags += ["-O0", "-g3"] if debug else ["-O3", "-g1"]
link = ["-lpthread"]
macros: list[tuple[str, str | None]] = [("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")]
if sanitize:
    sanitizers = ["-fsanitize=address,undefined"]
    flags += [*sanitizers, "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
    link += sanitizers
if coverage:
    macros.append(("CYTHON_TRACE_NOGIL", "1"))

core = Extension(
    "fastpptp._core",
    ["src/fastpptp/_core.pyx"],
    include_dirs=[np.get_include(), str(UNITS), "src/fastpptp/include"],
    depends=[
        "src/fastpptp/include/fastpptp.h",
        *(str(p.relative_to(HERE)) for p in sorted((HERE / UNITS).glob("*.[ph]*"))),
    ],
    extra_compile_args=flags,
    extra_link_args=link,
    define_macros=macros,
)
setup(
    ext_modules=cythonize(
        [core],
        compiler_directives={
            "language_level": 3,
            "boundscheck": debug,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": False,
            "linetrace": coverage,
        },
        include_path=["src"],
        force=debug or sanitize or coverage,
    )
)
