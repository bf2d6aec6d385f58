// Products of rows with packed panels, written to rows of memory; and how weights are packed.
#pragma once

#include "tile.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

// One vector of a panel's columns: to[k * step + lane] = from[lane * ld + k], and zeros in the lanes
// that there are not.
template <class T, class S>
[[gnu::noinline]] void pack_vector(const S* from, Index ld, Index k_count, int lanes, S* to,
                                   Index step) {
  constexpr int W = width<T>;
  Index k = 0;
  if constexpr (sizeof(S) == sizeof(T)) {
    for (; k + W <= k_count; k += W) {
      Vec<T> block[W];
#pragma GCC unroll 16
      for (int lane = 0; lane < W; ++lane)
        block[lane] = lane < lanes ? load<T>(from + lane * ld + k) : Vec<T>{};
      transpose<T>(block);
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) store<T>(to + (k + i) * step, block[i]);
    }
  }
  for (; k < k_count; ++k) {
    for (int lane = 0; lane < lanes; ++lane) to[k * step + lane] = from[lane * ld + k];
    for (int lane = lanes; lane < W; ++lane) to[k * step + lane] = S{};
  }
}

// Y = A P, where panel j goes to column `first + j * step` of a row of Y; P is stored as S.
template <class T, class S = T> struct Product {
  const S* panels;
  Index vectors;  // columns of P, in vectors
  Index k;        // rows of P
  Runs ks;        // where they are in a row of A
  Index first, step;
  Index columns;  // with Ragged: elements that may be written
  const T* scale = nullptr;  // of scaled storage: by column of Y
  // With one run: every so many k make a sum of their own, and the last ones up to half as many
  // more, for the rounding errors of a chain of additions grow with its length.
  Index chain = 0;
};
// Of the forward products. Gradients are far within their bound without.
inline constexpr Index forward_chain = 128;
inline constexpr Index longest_chain(Index chain) { return chain + chain / 2; }

template <int V> constexpr Index panel_count(Index vectors) { return (vectors + V - 1) / V; }

template <class T, int R, int V, int P, int Panel, bool Ragged, class S>
RELEMBRA_INLINE void product_part(const Product<T, S>& y, Runs ks, const S* panel,
                                  const T* const* a, T* const* to, const T* const* add, Index p) {
  const Index stride = y.k * Panel * width<T>;
  const auto column_of = [&](int i, int v) { return y.first + (p + i) * y.step + v * width<T>; };
  const auto put_some = [&](int r, Index column, Vec<T> sum) {
    const int lanes = static_cast<int>(y.columns - column < width<T> ? y.columns - column : width<T>);
    if constexpr (scaled<S>) sum = sum * load_upto<T>(y.scale + column, lanes);
    if (add) sum = sum + load_upto<T>(add[r] + column, lanes);
    store_upto<T>(to[r] + column, sum, lanes);
  };
  if constexpr (Ragged && (scaled<S> || !fused)) {
    // Through memory: so much to do for each sum would have the sums leave their registers before
    // the last k.
    T sums[R][P * V][width<T>];
    tile<T, R, V, P>(a, ks, panel, stride,
                     [&](int r, int i, int v, Vec<T> sum) { store<T>(sums[r][i * V + v], sum); });
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < P; ++i)
        for (int v = 0; v < V; ++v) put_some(r, column_of(i, v), load<T>(sums[r][i * V + v]));
    return;
  }
  tile<T, R, V, P>(a, ks, panel, stride, [&](int r, int i, int v, Vec<T> sum) {
    const Index column = column_of(i, v);
    if constexpr (Ragged) {
      put_some(r, column, sum);
    } else {
      if constexpr (scaled<S>) sum = sum * load<T>(y.scale + column);
      if (add) sum = sum + load<T>(add[r] + column);
      store<T>(to[r] + column, sum);
    }
  });
}

template <class T, int R, int V, int P, int Panel, bool Ragged, class S>
RELEMBRA_INLINE void product_tile(const Product<T, S>& y, const T* const* a, T* const* to,
                                  const T* const* add, Index p) {
  const S* panel = y.panels + p * y.k * Panel * width<T>;
  Run part = y.ks.runs[0];
  const bool parts = y.chain && part.length > longest_chain(y.chain);
  const Index end = part.offset + part.length;
  if (parts) part.length = y.chain;
  for (const Runs ks = parts ? Runs{&part, 1} : y.ks;; add = to) {
    product_part<T, R, V, P, Panel, Ragged>(y, ks, panel, a, to, add, p);
    part.offset += part.length;
    if (!parts || part.offset == end) return;
    panel += part.length * V * width<T>;
    if (end - part.offset <= longest_chain(y.chain)) part.length = end - part.offset;
  }
}

template <class T, int R, int V, int P, int Panel, bool Ragged, class S>
RELEMBRA_INLINE Index product_run(const Product<T, S>& y, const T* const* a, T* const* to,
                                  const T* const* add, Index p, Index end) {
  for (; p + P <= end; p += P) product_tile<T, R, V, P, Panel, Ragged>(y, a, to, add, p);
  if constexpr (P > 1) return product_run<T, R, V, P / 2, Panel, Ragged>(y, a, to, add, p, end);
  return p;
}

// The panels p ... end - 1 of up to tile_rows<S>(V) rows. `add` is added, null for nothing.
template <class T, int V, bool Ragged, class S>
[[gnu::noinline]] void product(const Product<T, S>& y, const T* const* a, T* const* to,
                               const T* const* add, int rows, Index p, Index end) {
  const Index full = y.vectors / V;
  with_constant<tile_rows<S>(V)>(rows, [&](auto r) {
    constexpr int R = decltype(r)::value;
    p = product_run<T, R, V, panels_at_once(R, V), V, Ragged>(y, a, to, add, p,
                                                              end < full ? end : full);
    if constexpr (V > 1) {
      if (p < end)
        with_constant<V - 1>(static_cast<int>(y.vectors - full * V), [&](auto v) {
          product_tile<T, R, decltype(v)::value, 1, V, Ragged>(y, a, to, add, p);
        });
    }
  });
}

// Rows in blocks of nearly equal size, none larger than `most`.
struct Blocks {
  Index count, small, larger;
};
RELEMBRA_INLINE Blocks blocks_of(Index rows, int most) {
  const Index count = (rows + most - 1) / most;
  return {count, count ? rows / count : 0, count ? rows % count : 0};
}
RELEMBRA_INLINE int block_size(const Blocks& b, Index i) {
  return static_cast<int>(b.small + (i < b.larger));
}

// C += A^T B over `count` positions: rows of C are columns of A, its panels those of B. C is taken
// for zeros where it is `fresh`.
template <class T, int V>
[[gnu::noinline]] void outer_product(const T* a, Index lda, Index rows, const T* b, Index ldb,
                                     Index first, Index step, Index count, T* c, Index ldc,
                                     Index vectors, Index p, Index end, bool fresh = false) {
  const Index full = vectors / V;
  const Blocks blocks = blocks_of(rows, tile_rows<T>(V));
  for (; p < end; ++p) {
    const T* panel = b + first + p * step;
    T* to = c + p * V * width<T>;
    const int v = p < full ? V : static_cast<int>(vectors - full * V);
    Index row = 0;
    for (Index i = 0; i < blocks.count; ++i) {
      const int size = block_size(blocks, i);
      with_constant<tile_rows<T>(V)>(size, [&](auto r) {
        constexpr int R = decltype(r)::value;
        if (v == V) {
          outer_tile<T, R, V>(a + row, lda, panel, ldb, count, to + row * ldc, ldc,
                              fresh);
          return;
        }
        if constexpr (V > 1)
          with_constant<V - 1>(v, [&](auto narrow) {
            outer_tile<T, R, decltype(narrow)::value>(a + row, lda, panel, ldb, count,
                                                      to + row * ldc, ldc, fresh);
          });
      });
      row += size;
    }
  }
}

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
