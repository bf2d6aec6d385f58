// Linear maps for Python.
#pragma once

#include <nanobind/nanobind.h>

// Adds PackedLinear to the module.
void define_linear(nanobind::module_& m);
