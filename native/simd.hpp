// The vector type and its mathematics, one source for every instruction set.
//
// Included only by kernels.cpp, which is compiled once for each instruction set with its own flags.
// Everything lives in a namespace that is named after the set and has internal linkage, so that the
// linker can never pick one set's copy of a function for another.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define RELEMBRA_INLINE [[gnu::always_inline]] inline

namespace relembra::RELEMBRA_ISA {
namespace {

using Index = std::ptrdiff_t;

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

template <class T> struct Lanes;
template <> struct Lanes<float> {
  typedef float Vec __attribute__((vector_size(vector_bytes)));
  typedef std::int32_t Int __attribute__((vector_size(vector_bytes)));
};
template <> struct Lanes<double> {
  typedef double Vec __attribute__((vector_size(vector_bytes)));
  typedef std::int64_t Int __attribute__((vector_size(vector_bytes)));
};
template <class T> using Vec = typename Lanes<T>::Vec;
template <class T> using Int = typename Lanes<T>::Int;
template <class T> inline constexpr int width = vector_bytes / static_cast<int>(sizeof(T));

template <class T> RELEMBRA_INLINE Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T> RELEMBRA_INLINE void store(T* p, Vec<T> v) { __builtin_memcpy(p, &v, sizeof v); }

template <class T> RELEMBRA_INLINE Vec<T> broadcast(T x) { return x - Vec<T>{}; }  // folds; 0 + x would not

// The first n lanes, n < width; the others read as zero and are not touched in memory.
#if defined(__AVX512F__)
RELEMBRA_INLINE Vec<float> load_some(const float* p, int n) {
  return (Vec<float>)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
RELEMBRA_INLINE Vec<double> load_some(const double* p, int n) {
  return (Vec<double>)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
}
RELEMBRA_INLINE void store_some(float* p, Vec<float> v, int n) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
RELEMBRA_INLINE void store_some(double* p, Vec<double> v, int n) {
  _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
}
#else
template <class T> RELEMBRA_INLINE Vec<T> load_some(const T* p, int n) {
  T lanes[width<T>] = {};
  for (int i = 0; i < n; ++i) lanes[i] = p[i];
  return load<T>(lanes);
}
template <class T> RELEMBRA_INLINE void store_some(T* p, Vec<T> v, int n) {
  T lanes[width<T>];
  store<T>(lanes, v);
  for (int i = 0; i < n; ++i) p[i] = lanes[i];
}
#endif

template <class T> RELEMBRA_INLINE Vec<T> load_upto(const T* p, int n) {
  return n >= width<T> ? load<T>(p) : load_some(p, n);
}
template <class T> RELEMBRA_INLINE void store_upto(T* p, Vec<T> v, int n) {
  if (n >= width<T>) store<T>(p, v);
  else store_some(p, v, n);
}

template <int... I> struct Indices {};
template <int N, int... I> struct Count : Count<N - 1, N - 1, I...> {};
template <int... I> struct Count<0, I...> {
  using All = Indices<I...>;
};
// The lanes of a and b in turn, `From` on of each.
template <class T, int From, int... I>
RELEMBRA_INLINE Vec<T> interleaved(Vec<T> a, Vec<T> b, Indices<I...>) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, (From + I / 2 + I % 2 * width<T>)...);
#else
  return __builtin_shuffle(a, b, Int<T>{(From + I / 2 + I % 2 * width<T>)...});
#endif
}
// Rows become columns. Each round interleaves vector i with the one half of them further on.
template <class T> RELEMBRA_INLINE void transpose(Vec<T> (&rows)[width<T>]) {
  constexpr int W = width<T>;
  using All = typename Count<W>::All;
#pragma GCC unroll 4
  for (int round = 1; round < W; round *= 2) {
    Vec<T> next[W];
#pragma GCC unroll 16
    for (int i = 0; i < W / 2; ++i) {
      next[2 * i] = interleaved<T, 0>(rows[i], rows[i + W / 2], All{});
      next[2 * i + 1] = interleaved<T, W / 2>(rows[i], rows[i + W / 2], All{});
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) rows[i] = next[i];
  }
}

// a * b + c. With one rounding where the instruction set has it, else with two: the same on every
// call, because the compiler may not contract on its own (-ffp-contract=off).
#if defined(__AVX512F__)
RELEMBRA_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return (Vec<float>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
RELEMBRA_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return (Vec<double>)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
#elif defined(__FMA__)
RELEMBRA_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return (Vec<float>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
RELEMBRA_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return (Vec<double>)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
#elif defined(__aarch64__)
RELEMBRA_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return (Vec<float>)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
RELEMBRA_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return (Vec<double>)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
#else
RELEMBRA_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return a * b + c; }
RELEMBRA_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return a * b + c; }
#endif

// NaN passes through both: the comparison is false and x is taken.
#if defined(__AVX512F__)
RELEMBRA_INLINE Vec<float> at_most(Vec<float> x, float c) {
  return (Vec<float>)_mm512_min_ps(_mm512_set1_ps(c), (__m512)x);
}
RELEMBRA_INLINE Vec<double> at_most(Vec<double> x, double c) {
  return (Vec<double>)_mm512_min_pd(_mm512_set1_pd(c), (__m512d)x);
}
RELEMBRA_INLINE Vec<float> at_least(Vec<float> x, float c) {
  return (Vec<float>)_mm512_max_ps(_mm512_set1_ps(c), (__m512)x);
}
RELEMBRA_INLINE Vec<double> at_least(Vec<double> x, double c) {
  return (Vec<double>)_mm512_max_pd(_mm512_set1_pd(c), (__m512d)x);
}
#elif defined(__AVX2__)
RELEMBRA_INLINE Vec<float> at_most(Vec<float> x, float c) {
  return (Vec<float>)_mm256_min_ps(_mm256_set1_ps(c), (__m256)x);
}
RELEMBRA_INLINE Vec<double> at_most(Vec<double> x, double c) {
  return (Vec<double>)_mm256_min_pd(_mm256_set1_pd(c), (__m256d)x);
}
RELEMBRA_INLINE Vec<float> at_least(Vec<float> x, float c) {
  return (Vec<float>)_mm256_max_ps(_mm256_set1_ps(c), (__m256)x);
}
RELEMBRA_INLINE Vec<double> at_least(Vec<double> x, double c) {
  return (Vec<double>)_mm256_max_pd(_mm256_set1_pd(c), (__m256d)x);
}
#else
template <class V, class T> RELEMBRA_INLINE V at_most(V x, T c) {
  V limit = V{} + c;
  return limit < x ? limit : x;
}
template <class V, class T> RELEMBRA_INLINE V at_least(V x, T c) {
  V limit = V{} + c;
  return limit > x ? limit : x;
}
#endif

template <class T> struct Bits;
template <> struct Bits<float> {
  static constexpr std::int32_t sign = INT32_MIN, bias = 127;
  static constexpr int mantissa = 23;
  static constexpr float rounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
};
template <> struct Bits<double> {
  static constexpr std::int64_t sign = INT64_MIN, bias = 1023;
  static constexpr int mantissa = 52;
  static constexpr double rounder = 6755399441055744.0;  // 1.5 * 2^52
};

template <class T> RELEMBRA_INLINE Vec<T> magnitude(Vec<T> x) {
  return (Vec<T>)((Int<T>)x & ~(Int<T>{} + Bits<T>::sign));
}
template <class T> RELEMBRA_INLINE Vec<T> with_sign_of(Vec<T> x, Vec<T> from) {
  Int<T> sign = Int<T>{} + Bits<T>::sign;
  return (Vec<T>)(((Int<T>)x & ~sign) | ((Int<T>)from & sign));
}

// Constants of exp: x = n ln 2 + r with |r| <= ln 2 / 2 (Cody & Waite, ln 2 in two parts), and the
// Taylor polynomial of (e^r - 1 - r) / r^2, to r^7 (float) and r^14 (double).
template <class T> struct ExpConstants;
template <> struct ExpConstants<float> {
  static constexpr float log2e = 1.44269504088896341f, ln2_high = 0.693145751953125f,
                         ln2_low = 1.42860682030941723e-06f;
  static constexpr float high = 88.8f, low = -86.98f;
  static constexpr int terms = 6;
  static constexpr float p[terms] = {1.9841270e-4f, 1.3888889e-3f, 8.3333333e-3f,
                                     4.1666667e-2f, 1.6666667e-1f, 5.0000000e-1f};
};
template <> struct ExpConstants<double> {
  static constexpr double log2e = 1.44269504088896340736, ln2_high = 6.93147180369123816490e-01,
                          ln2_low = 1.90821492927058770002e-10;
  static constexpr double high = 709.8, low = -708.0;
  static constexpr int terms = 13;
  static constexpr double p[terms] = {1.0 / 87178291200.0, 1.0 / 6227020800.0, 1.0 / 479001600.0,
                                      1.0 / 39916800.0,    1.0 / 3628800.0,    1.0 / 362880.0,
                                      1.0 / 40320.0,       1.0 / 5040.0,       1.0 / 720.0,
                                      1.0 / 120.0,         1.0 / 24.0,         1.0 / 6.0,
                                      1.0 / 2.0};
};

// x = n ln 2 + r; returns e^r - 1, and 2^(n-1) in `half_scale` (half, so that n = 128 has one too).
template <class T> RELEMBRA_INLINE Vec<T> reduced_expm1(Vec<T> x, Vec<T>& half_scale) {
  using C = ExpConstants<T>;
  using B = Bits<T>;
  Vec<T> shifted = fma(x, broadcast<T>(C::log2e), broadcast<T>(B::rounder));
  Vec<T> n = shifted - B::rounder;
  Vec<T> r = fma(n, broadcast<T>(-C::ln2_high), x);
  r = fma(n, broadcast<T>(-C::ln2_low), r);
  // The integer n stands in the low bits of `shifted`; move it into the exponent.
  Int<T> e = (Int<T>)shifted - (Int<T>)broadcast<T>(B::rounder);
  half_scale = (Vec<T>)((e + (B::bias - 1)) << B::mantissa);
  Vec<T> p = broadcast<T>(C::p[0]);
#pragma GCC unroll 16
  for (int i = 1; i < C::terms; ++i) p = fma(p, r, broadcast<T>(C::p[i]));
  return fma(p, r * r, r);
}

// e^x. Results below 2^-125 (float) and 2^-1021 (double) are given as 0; infinities and NaN are
// right.
template <class T> RELEMBRA_INLINE Vec<T> exponential(Vec<T> x) {
  using C = ExpConstants<T>;
  Vec<T> half;
  Vec<T> clamped = at_least(at_most(x, C::high), C::low);
  Vec<T> p = reduced_expm1<T>(clamped, half);
  Vec<T> y = fma(p, half, half) * T(2);
  return x < C::low ? Vec<T>{} : y;
}

// 1 / (1 + e^-x). Where the result would be below the smallest normal number it is 0 (or the
// smallest normal one): nothing downstream ever meets a denormal from here.
template <class T> RELEMBRA_INLINE Vec<T> logistic(Vec<T> x) {
  using C = ExpConstants<T>;
  Vec<T> half;
  Vec<T> clamped = at_least(at_most(-x, C::high), C::low);
  Vec<T> p = reduced_expm1<T>(clamped, half);
  Vec<T> e = fma(p, half, half) * T(2);
  return T(1) / (T(1) + e);
}

// tanh |x| = (e^2|x| - 1) / (e^2|x| + 1), with e^2|x| - 1 kept whole near zero.
template <class T> RELEMBRA_INLINE Vec<T> hyperbolic_tangent(Vec<T> x) {
  constexpr T one_from = sizeof(T) == 4 ? T(9.1) : T(19.1);  // beyond this the result rounds to 1
  Vec<T> half;
  Vec<T> a = at_most(magnitude<T>(x), one_from);
  Vec<T> p = reduced_expm1<T>(a + a, half);
  Vec<T> scale = half + half;
  Vec<T> em1 = fma(p, scale, scale - T(1));
  return with_sign_of<T>(em1 / (em1 + T(2)), x);
}

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
