"""python setup.py build_ext --inplace, with the Python that has fastpptp and Cython."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import fastpptp

endpoint = Extension("endpoint", ["endpoint.pyx"], include_dirs=[fastpptp.get_include()])
setup(name="endpoint", ext_modules=cythonize([endpoint]))
