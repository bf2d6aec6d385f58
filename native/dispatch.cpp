#include "dispatch.hpp"

namespace relembra {
namespace {

// The compilers' own check reads CPUID and XGETBV once, before main.
#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
bool has_avx2() { return false; }
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

}  // namespace relembra
