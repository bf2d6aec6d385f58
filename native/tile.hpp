// The matrix product: packed panels and the micro-kernel.
//
// A product Y (rows, N) = A (rows, K) P is cut into tiles of a few rows by V vectors. The columns
// of P are packed panel by panel: [k][v][lane]. Every element of Y is one chain of multiply-adds
// over k = 0, 1, 2, ... that begins at zero (or the sum of several, product.hpp); neither the rows of
// a tile nor the number of panels that are worked on together touch that order, so a row has the
// same bits in any company.
#pragma once

#include "storage.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int registers = 32;
#else
inline constexpr int registers = 16;
#endif
#if defined(__FMA__) || defined(__aarch64__)
inline constexpr bool fused = true;
#else
inline constexpr bool fused = false;
#endif

// Vectors of a panel for a cell of so many gates, and rows of a tile: accumulators, the panel's
// vectors and one broadcast fit the registers.
constexpr int panel_vectors(int gates) {
  if (registers == 32) return gates == 3 ? 3 : 4;
  return gates == 3 ? 3 : 2;
}
template <class S> constexpr int tile_rows(int vectors) {
  if (registers == 32) return vectors == 3 ? 8 : 6;
  // Without a fused multiply-add a product needs a register too, and what is widened stays in its
  // own, where whole weights are loaded once more.
  if (!fused && sizeof(S) < sizeof(float) && vectors == 3) return 3;
  return vectors == 3 ? 4 : 6;
}
// So few rows that the accumulators of one panel would wait for each other: take more panels.
constexpr int panels_at_once(int rows, int vectors) {
  const int wanted = registers == 32 ? 16 : 8;
  int panels = 1;
  while (rows * vectors * (panels * 2) <= wanted) panels *= 2;
  return panels;
}

// The k of a product may skip padding: they are runs of columns of A, packed one after another.
struct Run {
  Index offset;
  Index length;
};
struct Runs {
  const Run* runs;
  int count;
};

template <class T, int R, int V, int P, class S, class Sink>
RELEMBRA_INLINE void tile(const T* const* rows, Runs ks, const S* panel, Index panel_stride,
                          Sink&& sink) {
  Vec<T> acc[R][P * V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < P * V; ++v) acc[r][v] = Vec<T>{};
  for (int i = 0; i < ks.count; ++i) {
    const T* a[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) a[r] = rows[r] + ks.runs[i].offset;
    const Index length = ks.runs[i].length;
    for (Index k = 0; k < length; ++k, panel += V * width<T>) {
      if constexpr (R == 1 && sizeof(S) < sizeof(T)) {
        // Widened one by one: sixteen at once beside sixteen sums are one more than the registers.
        const Vec<T> x = broadcast<T>(a[0][k]);
#pragma GCC unroll 16
        for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
          for (int v = 0; v < V; ++v)
            acc[0][p * V + v] = fma(x, widened<T>(panel + p * panel_stride + v * width<T>),
                                    acc[0][p * V + v]);
        continue;
      }
      Vec<T> b[P * V];
#pragma GCC unroll 16
      for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
        for (int v = 0; v < V; ++v)
          b[p * V + v] = widened<T>(panel + p * panel_stride + v * width<T>);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const Vec<T> x = broadcast<T>(a[r][k]);
#pragma GCC unroll 16
        for (int v = 0; v < P * V; ++v) acc[r][v] = fma(x, b[v], acc[r][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) sink(r, p, v, acc[r][p * V + v]);
}

// C (R rows, V vectors) += sum over k of A[k][r] B[k][v]: the outer products of the weights'
// gradients. A and B are both row-major with k as the row. A fresh C is zeros.
template <class T, int R, int V>
RELEMBRA_INLINE void outer_tile(const T* a, Index lda, const T* b, Index ldb, Index count, T* c,
                                Index ldc, bool fresh) {
  if (fresh)  // here, for behind the sums there is no register left to ask
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v) store<T>(c + r * ldc + v * width<T>, Vec<T>{});
  Vec<T> acc[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) acc[r][v] = Vec<T>{};
  for (Index k = 0; k < count; ++k, a += lda, b += ldb) {
    Vec<T> y[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) y[v] = load<T>(b + v * width<T>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vec<T> x = broadcast<T>(a[r]);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) acc[r][v] = fma(x, y[v], acc[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      T* to = c + r * ldc + v * width<T>;
      store<T>(to, load<T>(to) + acc[r][v]);
    }
}

// Calls f with the integral constant that equals n, for 1 <= n <= Max.
template <int N> struct Constant {
  static constexpr int value = N;
};
template <int Max, class F> RELEMBRA_INLINE void with_constant(int n, F&& f) {
  if constexpr (Max == 1) {
    f(Constant<1>{});
  } else {
    if (n == Max) f(Constant<Max>{});
    else with_constant<Max - 1>(n, static_cast<F&&>(f));
  }
}

// A packed right-hand side: vectors of columns in panels of V, the last one maybe narrower.
template <class T> struct Packed {
  const T* data;
  Index vectors;  // all columns, in vectors
  Index k;        // packed rows: the sum of the runs' lengths
};

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
