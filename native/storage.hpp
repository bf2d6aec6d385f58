// Weights as they lie in packed panels: as wide as the arithmetic, or narrower to save memory traffic.
// The micro-kernel widens each vector on its way into a register, exactly: every bf16 and every
// 8-bit integer is a float.
#pragma once

#include "interface.hpp"
#include "simd.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace relembra::RELEMBRA_ISA {
namespace {

struct Bf16 {
  std::uint16_t bits;  // the upper half of a float
};
using Int8 = std::int8_t;

// Whether each column has a scale, which the finished sum is multiplied by.
template <class S> inline constexpr bool scaled = false;
template <> inline constexpr bool scaled<Int8> = true;

// The width<T> values at p as a vector of T.
template <class T> RELEMBRA_INLINE Vec<T> widened(const T* p) { return load<T>(p); }

template <class T> RELEMBRA_INLINE Vec<T> widened(const Bf16* p) {
  static_assert(sizeof(T) == sizeof(float));
#if defined(__AVX512F__)
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return (Vec<float>)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
#elif defined(__AVX2__)
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return (Vec<float>)_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16);
#elif defined(__x86_64__)
  const __m128i half = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  // A shift, for zeros to put below would take a register of their own.
  return (Vec<float>)_mm_slli_epi32(_mm_unpacklo_epi16(half, half), 16);
#else
  typedef std::uint16_t Half __attribute__((vector_size(vector_bytes / 2)));
  Half half;
  __builtin_memcpy(&half, p, sizeof half);
  return (Vec<float>)(__builtin_convertvector(half, Int<float>) << 16);
#endif
}

template <class T> RELEMBRA_INLINE Vec<T> widened(const Int8* p) {
  static_assert(sizeof(T) == sizeof(float));
#if defined(__AVX512F__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return (Vec<float>)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
#elif defined(__AVX2__)
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return (Vec<float>)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
#elif defined(__x86_64__)
  std::int32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  const __m128i bytes = _mm_cvtsi32_si128(four), pairs = _mm_unpacklo_epi8(bytes, bytes);
  return (Vec<float>)_mm_cvtepi32_ps(_mm_srai_epi32(_mm_unpacklo_epi16(pairs, pairs), 24));
#else
  typedef std::int8_t Bytes __attribute__((vector_size(vector_bytes / 4)));
  Bytes bytes;
  __builtin_memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(bytes, Vec<float>);
#endif
}

// Calls f with a value of the type that the weights are stored in. Doubles are only stored whole.
template <class T, class F> RELEMBRA_INLINE void with_storage(Storage storage, F&& f) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (storage == Storage::bf16) return f(Bf16{});
    if (storage == Storage::int8) return f(Int8{});
  }
  f(T{});
}

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
