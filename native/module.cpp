// The Python module relembra._native.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <string>
#include <vector>

#include "build_info.hpp"
#include "dispatch.hpp"

namespace nb = nanobind;

namespace {

std::map<std::string, std::string> build_info() {
  return {{"compiler", relembra::compiler()},
          {"standard", relembra::standard()},
          {"build_type", RELEMBRA_BUILD_TYPE},
          {"source_digest", relembra::source_digest()}};
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const auto& info : relembra::instruction_sets)
    if (relembra::supported(info.set)) names.emplace_back(info.name);
  return names;
}

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "Relembra's native core. Private: relembra.engine is its only user.";
  m.def("build_info", &build_info,
        "Return how this library was built: compiler, standard, build_type, source_digest.");
  m.def("instruction_sets", &instruction_sets,
        "Return the instruction sets that this CPU can run, the widest last:\n"
        "some of 'baseline', 'neon', 'avx2' (with FMA) and 'avx512' (F, BW, DQ, VL).");
}
