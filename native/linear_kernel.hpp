// A linear map of rows, Y = X W^T + b, with the same bits for a row in any company.
#pragma once

#include "product.hpp"
#include "walk.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

template <class T> struct LinearMap {
  static constexpr int W = width<T>;
  static constexpr int panel = panel_vectors(4);
  // Panels that stay in the first caches while all rows pass by.
  static constexpr Index stretch_bytes = 96 << 10;

  static Index vectors(Index outputs) { return (outputs + W - 1) / W; }
  static Extent size(Extent inputs, Extent outputs) { return inputs * vectors(outputs) * W; }

  // W (outputs, inputs) as panels of columns of W^T: [k][v][lane].
  static void pack(Storage storage, const void* weight, Extent inputs, Extent outputs, void* to) {
    with_storage<T>(storage, [&](auto kind) {
      using S = decltype(kind);
      pack(static_cast<const S*>(weight), inputs, outputs, static_cast<S*>(to));
    });
  }
  template <class S> static void pack(const S* weight, Extent inputs, Extent outputs, S* to) {
    const Index all = vectors(outputs);
    for (Index i = 0; i < all; ++i) {
      const Index p = i / panel, v = i % panel;
      const Index in_panel = all - p * panel < panel ? all - p * panel : panel;
      const int lanes = static_cast<int>(outputs - i * W < W ? outputs - i * W : W);
      pack_vector<T>(weight + i * W * inputs, inputs, inputs, lanes,
                     to + p * panel * inputs * W + v * W, in_panel * W);
    }
  }

  // Shares part the rows, or the panels where rows are few.
  static void run(const Linear<T>* l, int share, int shares) {
    with_storage<T>(l->storage, [&](auto kind) { run<decltype(kind)>(*l, share, shares); });
  }
  template <class S> static void run(const Linear<T>& l, int share, int shares) {
    constexpr int most = tile_rows<S>(panel);
    const Index panels = panel_count<panel>(vectors(l.outputs));
    const bool by_rows = l.rows >= shares * most;
    const Range rows = by_rows ? part(l.rows, share, shares) : Range{0, l.rows};
    const Range own = by_rows ? Range{0, panels} : part(panels, share, shares);
    const Run all{0, l.inputs};
    const Product<T, S> y{static_cast<const S*>(l.panels), vectors(l.outputs), l.inputs, {&all, 1},
                          0, static_cast<Index>(panel) * W, l.outputs, l.scale, forward_chain};
    const Index panel_bytes = panel * W * static_cast<Index>(sizeof(S));
    const Index fit = stretch_bytes / (panel_bytes * (l.inputs + 1));
    const Index stretch = rows.end - rows.begin <= most ? panels : fit < 4 ? 4 : fit;
    const T* bias[most];
    for (int r = 0; r < most; ++r) bias[r] = l.bias;
    const Blocks blocks = blocks_of(rows.end - rows.begin, most);
    for (Index p = own.begin; p < own.end; p += stretch) {
      const Index end = p + stretch < own.end ? p + stretch : own.end;
      Index row = rows.begin;
      for (Index i = 0; i < blocks.count; ++i) {
        const int count = block_size(blocks, i);
        const T* from[most];
        T* to[most];
        for (int r = 0; r < count; ++r) {
          from[r] = l.x + (row + r) * l.inputs;
          to[r] = l.y + (row + r) * l.outputs;
        }
        product<T, panel, true>(y, from, to, l.bias ? bias : nullptr, count, p, end);
        row += count;
      }
    }
  }
};

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
