"""What a C and a C++ compiler make of fastpptp.h is what the extension has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import fastpptp
from fastpptp import _core as core
from tests.cannot import cannot
from tests.unit.embedding.capi import Api, GrePacket, Mppe, Packet, load

HEADER = Path(fastpptp.get_include(), "fastpptp.h")
LAYOUT = core.capi_layout()
COMPILERS = {
    "c": ["cc", "-std=c11", "-pedantic-errors"],
    "c++": ["c++", "-std=c++17", "-pedantic-errors", "-Wno-invalid-offsetof"],
}
STRICT = ["-Wall", "-Wextra", "-Werror"]


def compiler(language: str) -> list[str]:
    command = COMPILERS[language]
    if shutil.which(command[0]) is None:
        cannot(f"no {language} compiler ({command[0]})")
    return [*command, "-x", language, *STRICT]


def program() -> str:
    """C that prints every size and offset as JSON."""
    lines = []
    for struct, fields in LAYOUT.items():
        for field in fields:
            what = f"sizeof({struct})" if field == "size" else f"offsetof({struct}, {field})"
            lines.append(f'printf("[\\"{struct}\\", \\"{field}\\", %zu],", {what});')
    body = "\n".join(lines)
    return (
        "#include <fastpptp.h>\n#include <stdio.h>\n"
        f'int main(void) {{ printf("["); {body} printf("0]"); return 0; }}\n'
    )


@pytest.mark.parametrize("language", COMPILERS)
def test_layout(language: str, tmp_path: Path) -> None:
    made = tmp_path / "layout"
    subprocess.run(
        [*compiler(language), f"-I{HEADER.parent}", "-o", str(made), "-"],
        input=program(), text=True, check=True,
    )  # fmt: skip
    output = subprocess.run([str(made)], check=True, capture_output=True, text=True).stdout
    found: dict[str, dict[str, int]] = {}
    for struct, field, value in json.loads(output)[:-1]:
        found.setdefault(struct, {})[field] = value
    assert found == LAYOUT


@pytest.mark.parametrize(
    ("struct", "mirror"),
    [
        ("fastpptp_mppe", Mppe),
        ("fastpptp_packet", Packet),
        ("fastpptp_gre", GrePacket),
        ("fastpptp_api", Api),
    ],
)
def test_the_tests_own_mirror(struct: str, mirror: type) -> None:
    for field, value in LAYOUT[struct].items():
        place = core_size(mirror) if field == "size" else getattr(mirror, field).offset
        assert place == value, field


def core_size(mirror: type) -> int:
    return len(bytes(mirror()))


def test_every_field_is_compared() -> None:
    for struct, mirror in (("fastpptp_packet", Packet), ("fastpptp_gre", GrePacket)):
        fields = {field[0] for field in mirror._fields_} - {"reserved"}
        assert fields | {"size"} == set(LAYOUT[struct])


def test_the_table() -> None:
    api = load()
    assert (api.abi, api.size) == (1, LAYOUT["fastpptp_api"]["size"])
    assert not any(api.reserved)


IMPORTER = """
#include <Python.h>
#include <fastpptp.h>
static PyObject *start(PyObject *module, PyObject *none)
{
    (void)module; (void)none;
    return fastpptp_import() ? PyLong_FromLong(FASTPPTP_ABI) : NULL;
}
static PyMethodDef methods[] = {{"start", start, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "importer", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_importer(void) { return PyModule_Create(&definition); }
"""

CHANGES = {
    "as it is": ("", ""),
    "abi": ("#define FASTPPTP_ABI 1u", "#define FASTPPTP_ABI 2u"),
    "size": ("void (*reserved[7])(void);", "void (*reserved[8])(void);"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_import_checks_abi_and_size(change: str, tmp_path: Path) -> None:
    """A program that was compiled against another header is refused, not crashed."""
    text = HEADER.read_text().replace(*CHANGES[change])
    if change == "size":
        text = text.replace("sizeof(fastpptp_api) == 136", "sizeof(fastpptp_api) == 144")
    (tmp_path / "fastpptp.h").write_text(text)
    source = tmp_path / "importer.c"
    source.write_text(IMPORTER)
    subprocess.run(
        ["cc", "-std=c11", *STRICT, "-shared", "-fPIC", f"-I{tmp_path}",
         f"-I{sysconfig.get_path('include')}", "-o", str(tmp_path / "importer.so"), str(source)],
        check=True,
    )  # fmt: skip
    paths = [str(tmp_path), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, "-c", "import importer; print(importer.start())"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if change == "as it is":
        assert done.stdout == "1\n", done.stderr
    else:
        assert "ImportError: fastpptp has ABI 1" in done.stderr


def test_what_embedders_need_is_in_the_package() -> None:
    package = Path(fastpptp.__file__).parent
    for name in ("_core.pxd", "_core.pyi", "include/fastpptp.h", "py.typed"):
        assert (package / name).is_file()
