// A fingerprint of memory, at about the speed of reading it: has it been written to since?
#pragma once

#include "simd.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

typedef std::uint32_t Words __attribute__((vector_size(vector_bytes)));

// Every step is one to one in the word that is read, so any single change is seen for certain, and
// others but for one in 2^32 or fewer. The rotation keeps two changed signs from cancelling.
RELEMBRA_INLINE Words mixed(Words state, const char* from) {
  Words word;
  __builtin_memcpy(&word, from, sizeof word);
  const Words product = (state ^ word) * 0x9E3779B1u;
  return (product << 15) | (product >> 17);
}

inline std::uint64_t fingerprint(const void* data, Index bytes, std::uint64_t start) {
  constexpr int chains = 8;
  constexpr Index block = chains * vector_bytes;
  Words state[chains];
  for (int i = 0; i < chains; ++i) state[i] = Words{} + (0x85EBCA77u + static_cast<unsigned>(i));
  const char* at = static_cast<const char*>(data);
  for (Index left = bytes; left >= block; left -= block, at += block)
#pragma GCC unroll 8
    for (int i = 0; i < chains; ++i) state[i] = mixed(state[i], at + i * vector_bytes);
  char rest[block] = {};
  // Of no bytes the address may be null, which memcpy must not see.
  if (bytes % block) __builtin_memcpy(rest, at, static_cast<std::size_t>(bytes % block));
  for (int i = 0; i < chains; ++i) state[i] = mixed(state[i], rest + i * vector_bytes);
  std::uint64_t sum = start ^ static_cast<std::uint64_t>(bytes);
  for (int i = 0; i < chains; ++i)
    for (std::size_t lane = 0; lane < vector_bytes / sizeof(std::uint32_t); ++lane) {
      sum = (sum ^ state[i][lane]) * 0xC2B2AE3D27D4EB4Full;
      sum ^= sum >> 29;
    }
  return sum;
}

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
