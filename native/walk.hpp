// Looking things up in a `Walk`, the barrier, and cutting work into parts.
#pragma once

#include "interface.hpp"
#include "simd.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

RELEMBRA_INLINE Index active(const Walk& w, Index s) { return w.active ? w.active[s] : w.rows; }
RELEMBRA_INLINE Index offset(const Walk& w, Index s) { return w.offset ? w.offset[s] : s * w.rows; }
RELEMBRA_INLINE Index time_of(const Walk& w, Index s, Index r) {
  if (w.time) return w.time[offset(w, s) + r];
  return w.reverse ? w.count[r] - 1 - w.first - s : w.first + s;
}
RELEMBRA_INLINE bool resets(const Walk& w, Index s, Index r) {
  return w.reset && w.reset[offset(w, s) + r];
}
// The steps of a row in this segment, and whether the row ends in it.
RELEMBRA_INLINE bool ends(const Walk& w, Index r) { return w.count[r] - w.first <= w.steps; }
RELEMBRA_INLINE Index steps_of(const Walk& w, Index r) {
  return ends(w, r) ? w.count[r] - w.first : w.steps;
}
RELEMBRA_INLINE bool cleared(const Walk& w, Index r) {
  return w.cleared && w.cleared[r] && ends(w, r);
}

// Where the chunk that begins (ends) at step s ends (begins): as many whole steps as fit.
RELEMBRA_INLINE Index chunk_end(const Walk& w, Index s, Index positions) {
  Index end = s + 1;
  while (end < w.steps && offset(w, end + 1) - offset(w, s) <= positions) ++end;
  return end;
}
RELEMBRA_INLINE Index chunk_begin(const Walk& w, Index end, Index positions) {
  Index s = end - 1;
  while (s > 0 && offset(w, end) - offset(w, s - 1) <= positions) --s;
  return s;
}

struct Range {
  Index begin, end;
};
// Part `i` of `parts` of 0 ... n - 1.
RELEMBRA_INLINE Range part(Index n, Index i, Index parts) {
  return {n * i / parts, n * (i + 1) / parts};
}

RELEMBRA_INLINE void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

extern "C" int sched_yield();

// Waits until all members are here. What they wrote before is seen by all after.
inline void meet(Barrier& b, int members) {
  if (members == 1) return;
  const int generation = __atomic_load_n(&b.generation, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&b.arrived, 1, __ATOMIC_ACQ_REL) == members) {
    __atomic_store_n(&b.arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&b.generation, generation + 1, __ATOMIC_RELEASE);
    return;
  }
  // Steps are short, so spin; where the cores are taken by others, let them run.
  for (int spins = 0; __atomic_load_n(&b.generation, __ATOMIC_ACQUIRE) == generation; ++spins) {
    if (spins < 4000) pause();
    else sched_yield();
  }
}

// Hands out pieces of a team's scratch memory, each aligned to a vector and more.
struct Arena {
  char* at;
  template <class U> RELEMBRA_INLINE U* take(Index count) {
    U* p = reinterpret_cast<U*>(at);
    at += (count * static_cast<Index>(sizeof(U)) + 63) / 64 * 64;
    return p;
  }
};

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
