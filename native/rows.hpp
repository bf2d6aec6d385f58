// Passes over a row of units: activations, layer normalisation and its gradient.
//
// A row holds gates one after another, each `padded` elements: the units, and behind them lanes
// that stand for none, which no sum may see.
#pragma once

#include "activations.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

template <class T> struct Units {
  Index units, groups, padded;
  Index full;   // whole vectors
  int lanes;    // units beyond them
  Vec<T> tail;  // ones in these lanes

  explicit Units(Index n)
      : units(n),
        groups((n + width<T> - 1) / width<T>),
        padded(groups * width<T>),
        full(n / width<T>),
        lanes(static_cast<int>(n % width<T>)) {
    T ones[width<T>] = {};
    for (int i = 0; i < lanes; ++i) ones[i] = T(1);
    tail = load<T>(ones);
  }
  // Group g of memory that has no lanes beyond the units.
  RELEMBRA_INLINE Vec<T> get(const T* p, Index g) const {
    return g < full ? load<T>(p + g * width<T>) : load_some(p + g * width<T>, lanes);
  }
  RELEMBRA_INLINE void put(T* p, Index g, Vec<T> v) const {
    if (g < full) store<T>(p + g * width<T>, v);
    else store_some(p + g * width<T>, v, lanes);
  }
  RELEMBRA_INLINE Vec<T> get_or(const T* p, Index g, T otherwise) const {
    return p ? get(p, g) : broadcast<T>(otherwise);
  }
};

// Calls f with the activation, whose kind the compiler then knows.
template <class T, class F> RELEMBRA_INLINE void with_function(Activation<T> a, F&& f) {
#define RELEMBRA_CASE(name)      \
  case Function::name:           \
    a.kind = Function::name;     \
    f(a);                        \
    return;
  switch (a.kind) {
    RELEMBRA_CASE(tanh)
    RELEMBRA_CASE(logistic)
    RELEMBRA_CASE(relu)
    RELEMBRA_CASE(hard_sigmoid)
    RELEMBRA_CASE(softsign)
    RELEMBRA_CASE(elu)
    RELEMBRA_CASE(identity)
    RELEMBRA_CASE(gelu)
  }
#undef RELEMBRA_CASE
}

// y = f(x), n elements in whole vectors.
template <class T>
[[gnu::noinline]] void activate(const Activation<T>& kind, const T* x, T* y, Index n) {
  with_function<T>(kind, [&](const Activation<T>& f) __attribute__((always_inline)) {
    for (Index i = 0; i < n; i += width<T>) store<T>(y + i, value_of<T>(f, load<T>(x + i)));
  });
}

// d *= f'(x), where y = f(x).
template <class T>
[[gnu::noinline]] void slopes(const Activation<T>& kind, const T* x, const T* y, T* d, Index n) {
  with_function<T>(kind, [&](const Activation<T>& f) __attribute__((always_inline)) {
    for (Index i = 0; i < n; i += width<T>)
      store<T>(d + i, load<T>(d + i) * slope_of<T>(f, load<T>(x + i), load<T>(y + i)));
  });
}

// The sum of the lanes, halves upon halves.
template <int Bytes, class T> RELEMBRA_INLINE T folded(const T* lanes) {
  if constexpr (Bytes == sizeof(T)) {
    return lanes[0];
  } else {
    typedef T Half __attribute__((vector_size(Bytes / 2)));
    Half low, high;
    __builtin_memcpy(&low, lanes, Bytes / 2);
    __builtin_memcpy(&high, lanes + Bytes / 2 / sizeof(T), Bytes / 2);
    low = low + high;
    T half[Bytes / 2 / sizeof(T)];
    __builtin_memcpy(half, &low, Bytes / 2);
    return folded<Bytes / 2, T>(half);
  }
}
template <class T> RELEMBRA_INLINE T sum_of_lanes(Vec<T> v) {
  T lanes[width<T>];
  store<T>(lanes, v);
  return folded<vector_bytes, T>(lanes);
}

// The sum over the units of some gates of f, which takes the place of a vector in the row.
template <class T, class F>
RELEMBRA_INLINE T sum_over(const Units<T>& u, int gates, F&& f) {
  Vec<T> even{}, odd{};
  for (int q = 0; q < gates; ++q) {
    const Index at = q * u.padded;
    Index g = 0;
    for (; g + 2 <= u.full; g += 2) {
      even = even + f(at + g * width<T>);
      odd = odd + f(at + (g + 1) * width<T>);
    }
    if (g < u.full) even = even + f(at + g * width<T>);
    if (u.lanes) odd = odd + f(at + u.full * width<T>) * u.tail;
  }
  return sum_of_lanes<T>(even + odd);
}

// Zero the lanes beyond the units.
template <class T> RELEMBRA_INLINE void clear_tail(const Units<T>& u, int gates, T* x) {
  if (u.lanes)
    for (int q = 0; q < gates; ++q) {
      T* at = x + q * u.padded + u.full * width<T>;
      store<T>(at, load<T>(at) * u.tail);
    }
}

RELEMBRA_INLINE float root(float x) { return __builtin_sqrtf(x); }
RELEMBRA_INLINE double root(double x) { return __builtin_sqrt(x); }

// to = (x - mean) / sqrt(variance + 1e-5) over the gates together (Ba et al. 2016, eq. 4, with
// PyTorch's constant); returns the factor. The order of the sums depends on the units alone.
template <class T>
[[gnu::noinline]] T normalise(const Units<T>& u, int gates, const T* x, T* to) {
  const T count = static_cast<T>(gates * u.units);
  const T mean = sum_over<T>(u, gates, [&](Index i) { return load<T>(x + i); }) / count;
  const T squares = sum_over<T>(u, gates, [&](Index i) {
    const Vec<T> d = load<T>(x + i) - mean;
    return d * d;
  });
  const T scale = T(1) / root(squares / count + T(1e-5));
  for (Index i = 0; i < gates * u.padded; i += width<T>)
    store<T>(to + i, (load<T>(x + i) - mean) * scale);
  clear_tail<T>(u, gates, to);
  return scale;
}

// The gradient of what was normalised, from the gradient d of gain * hat + shift; adds those of the
// gain and, where asked for, of the shift. `to` may be d.
template <class T>
[[gnu::noinline]] void normalise_back(const Units<T>& u, int gates, const T* d, const T* hat,
                                      const T* gain, T scale, T* to, T* d_gain, T* d_shift) {
  const Index n = gates * u.padded;
  Vec<T> sum{}, product{};  // beyond the units the gain is zero
  for (Index i = 0; i < n; i += width<T>) {
    const Vec<T> dy = load<T>(d + i), x = load<T>(hat + i), dx = dy * load<T>(gain + i);
    sum = sum + dx;
    product = fma(dx, x, product);
    store<T>(d_gain + i, fma(dy, x, load<T>(d_gain + i)));
    if (d_shift) store<T>(d_shift + i, load<T>(d_shift + i) + dy);
  }
  const T count = static_cast<T>(gates * u.units);
  const T mean = sum_of_lanes<T>(sum) / count, slope = sum_of_lanes<T>(product) / count;
  for (Index i = 0; i < n; i += width<T>) {
    const Vec<T> dx = load<T>(d + i) * load<T>(gain + i);
    store<T>(to + i, (dx - mean - load<T>(hat + i) * slope) * scale);
  }
  clear_tail<T>(u, gates, to);
}

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
