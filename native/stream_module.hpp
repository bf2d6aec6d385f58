// Packed weights and streams for Python.
#pragma once

#include <nanobind/nanobind.h>

// Adds PackedWeights and Stream to the module.
void define_stream(nanobind::module_& m);
