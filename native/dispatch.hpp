// Which instruction sets this CPU and operating system can run.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "interface.hpp"

namespace relembra {

enum class InstructionSet { baseline, avx2, avx512, neon };

struct InstructionSetInfo {
  InstructionSet set;
  std::string_view name;
};

// In the order of preference: the last one that is supported is the widest.
inline constexpr std::array<InstructionSetInfo, 4> instruction_sets{{
    {InstructionSet::baseline, "baseline"},  // what every CPU of this architecture has
    {InstructionSet::neon, "neon"},          // 64-bit ARM
    {InstructionSet::avx2, "avx2"},          // AVX2 with FMA
    {InstructionSet::avx512, "avx512"},      // AVX-512 F, BW, DQ and VL
}};

// Asks the CPU, at run time; the operating system must save the wide registers too.
bool supported(InstructionSet set);

// Of those compiled in, the widest that is supported, or the one that the environment variable
// RELEMBRA_ISA names. Throws std::runtime_error when that one is unknown or cannot run here.
InstructionSet chosen();
const KernelTable& kernels();

template <class T> const Kernels<T>& kernels_of();

// Of one weight.
template <class T> constexpr std::size_t bytes_of(Storage storage) {
  return storage == Storage::int8 ? 1 : storage == Storage::bf16 ? 2 : sizeof(T);
}

}  // namespace relembra
