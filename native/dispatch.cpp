#include "dispatch.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace relembra {

// kernels.cpp, once for each set.
namespace baseline {
extern const KernelTable table;
}
#if defined(RELEMBRA_HAS_avx2)
namespace avx2 {
extern const KernelTable table;
}
#endif
#if defined(RELEMBRA_HAS_avx512)
namespace avx512 {
extern const KernelTable table;
}
#endif

namespace {

// The compilers' own check reads CPUID and XGETBV once, before main. A set that was not compiled in
// is not supported.
#if defined(RELEMBRA_HAS_avx2)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
bool has_avx2() { return false; }
#endif
#if defined(RELEMBRA_HAS_avx512)
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
bool has_avx512() { return false; }
#endif

// NEON is part of 64-bit ARM itself.
#if defined(__aarch64__)
constexpr bool has_neon = true;
#else
constexpr bool has_neon = false;
#endif

}  // namespace

bool supported(InstructionSet set) {
  switch (set) {
    case InstructionSet::baseline: return true;
    case InstructionSet::avx2: return has_avx2();
    case InstructionSet::avx512: return has_avx512();
    case InstructionSet::neon: return has_neon;
  }
  return false;
}

namespace {

// On 64-bit ARM the baseline is NEON, so that one table serves both names.
const KernelTable& table_of(InstructionSet set) {
#if defined(RELEMBRA_HAS_avx2)
  if (set == InstructionSet::avx2) return avx2::table;
#endif
#if defined(RELEMBRA_HAS_avx512)
  if (set == InstructionSet::avx512) return avx512::table;
#endif
  (void)set;
  return baseline::table;
}

InstructionSet choose() {
  const char* wanted = std::getenv("RELEMBRA_ISA");
  InstructionSet widest = InstructionSet::baseline;
  std::string known;
  for (const auto& info : instruction_sets) {
    if (!supported(info.set)) continue;
    widest = info.set;
    known += (known.empty() ? "" : ", ") + std::string(info.name);
    if (wanted && info.name == wanted) return info.set;
  }
  if (wanted && *wanted)
    throw std::runtime_error("RELEMBRA_ISA is '" + std::string(wanted) +
                             "', but this processor can run: " + known);
  return widest;
}

}  // namespace

InstructionSet chosen() {
  static const InstructionSet set = choose();
  return set;
}

const KernelTable& kernels() { return table_of(chosen()); }

template <> const Kernels<float>& kernels_of() { return *kernels().single; }
template <> const Kernels<double>& kernels_of() { return *kernels().twofold; }

}  // namespace relembra
