// The walk over time of one layer in one direction, shared by all cells.
//
// Rows are independent, so each team walks its own rows through all steps. Teams have one member,
// but where rows are fewer than workers the members share the rows and part the units, and meet
// once a step. The product with the input goes ahead by a chunk of steps that stays in the cache.
#pragma once

#include "cells.hpp"
#include "product.hpp"
#include "walk.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

template <class T, template <class> class CellOf> struct Sweep {
  using Cell = CellOf<T>;
  static constexpr int W = width<T>;
  static constexpr int panel = panel_vectors(Cell::x_vectors);       // of x and h products
  static constexpr int back_panel = panel_vectors(4);                // of dx and dh products
  static constexpr Index few_positions = 64;                         // see `at_once`
  static constexpr int back_most = tile_rows<T>(back_panel);
  // The smallest stretch of units that is whole panels and whole groups.
  static constexpr int stretch_groups = Cell::x_vectors == 1 ? panel : 1;
  static constexpr int stretch_panels = Cell::x_vectors > panel ? Cell::x_vectors / panel : 1;
  static constexpr Index panel_step =
      (Cell::x_vectors == Cell::slots ? panel : Cell::slots) * static_cast<Index>(W);

  static void measure(Shape* s) {
    s->groups = (s->units + W - 1) / W;
    s->padded = s->groups * W;
    s->position = Cell::saves_gates ? Cell::slots * s->padded : 0;
    const Index input_vectors = (s->inputs + W - 1) / W;
    s->packed_ih = s->inputs * Cell::x_vectors * s->padded;
    s->packed_hh = s->units * Cell::h_vectors * s->padded;
    s->packed_ih_back = Cell::x_vectors * s->units * input_vectors * W;
    s->packed_hh_back = Cell::h_vectors * s->units * s->padded;
    s->packed_bias = Cell::slots * s->padded;
    s->gradient = (s->inputs + 1) * Cell::x_vectors * s->padded +
                  (s->units + 1) * Cell::h_vectors * s->padded +
                  (Cell::has_peepholes ? Cell::slots * s->padded : 0);
  }

  RELEMBRA_INLINE static Index row_size(const Shape& s) { return Cell::slots * s.padded; }

  // ------------------------------------------------------------------ packing

  // Panels of vectors (group, gate): the lanes are units, k runs over the columns of the weights.
  template <class S>
  static void pack_forward(const Shape& s, const S* weights, Index k_count, const int* gate,
                           int vectors, S* to, Range groups) {
    const Index all = s.groups * vectors;
    for (Index i = groups.begin * vectors; i < groups.end * vectors; ++i) {
      const Index p = i / panel, v = i % panel;
      const Index in_panel = all - p * panel < panel ? all - p * panel : panel;
      const Index g = i / vectors, unit = g * W;
      const int lanes = static_cast<int>(s.units - unit < W ? s.units - unit : W);
      pack_vector<T>(weights + (gate[i % vectors] * s.units + unit) * k_count, k_count, k_count,
                     lanes, to + p * panel * k_count * W + v * W, in_panel * W);
    }
  }

  static void pack_narrow(const NarrowPacking<T>* call, int share, int shares) {
    const Shape& s = *call->shape;
    const Range groups = part(s.groups, share, shares);
    with_storage<T>(call->from.storage, [&](auto kind) {
      using S = decltype(kind);
      pack_forward(s, static_cast<const S*>(call->from.ih), s.inputs, Cell::x_gate,
                   Cell::x_vectors, static_cast<S*>(call->ih), groups);
      pack_forward(s, static_cast<const S*>(call->from.hh), s.units, Cell::h_gate,
                   Cell::h_vectors, static_cast<S*>(call->hh), groups);
    });
  }

  // The transposed product: k runs over (group, gate, unit) without padding, columns are `columns`.
  static void pack_backward(const Shape& s, const T* weights, Index columns, const int* gate,
                            int vectors, T* to, Range panels) {
    const Index all = (columns + W - 1) / W, k_count = vectors * s.units;
    for (Index p = panels.begin; p < panels.end; ++p) {
      const Index in_panel = all - p * back_panel < back_panel ? all - p * back_panel : back_panel;
      const Index first = p * back_panel * W;
      const Index count = columns - first < in_panel * W ? columns - first : in_panel * W;
      T* at = to + p * back_panel * k_count * W;
      for (Index g = 0; g < s.groups; ++g)
        for (int q = 0; q < vectors; ++q) {
          const Index end = (g + 1) * W < s.units ? (g + 1) * W : s.units;
          for (Index unit = g * W; unit < end; ++unit, at += in_panel * W) {
            const T* from = weights + (gate[q] * s.units + unit) * columns + first;
            for (Index c = 0; c < count; ++c) at[c] = from[c];
            for (Index c = count; c < in_panel * W; ++c) at[c] = T(0);
          }
        }
    }
  }

  static void pack_bias(const Shape& s, const T* ih, const T* hh, T* to) {
    for (Index i = 0; i < Cell::slots * s.padded; ++i) to[i] = T(0);
    for (Index unit = 0; unit < s.units; ++unit) {
      T* at = to + unit / W * Cell::slots * W + unit % W;
      for (int q = 0; q < Cell::x_vectors; ++q)
        if (ih) at[(Cell::x_slot + q) * W] += ih[Cell::x_gate[q] * s.units + unit];
      for (int q = 0; q < Cell::h_vectors; ++q)
        if (hh) at[(Cell::h_slot + q) * W] += hh[Cell::h_gate[q] * s.units + unit];
    }
  }

  static void pack(const Packing<T>* call, int share, int shares) {
    const Shape& s = *call->shape;
    const Range groups = part(s.groups, share, shares);
    if (call->ih) {
      pack_forward(s, call->weights.ih, s.inputs, Cell::x_gate, Cell::x_vectors, call->ih, groups);
      pack_forward(s, call->weights.hh, s.units, Cell::h_gate, Cell::h_vectors, call->hh, groups);
    }
    if (call->bias && share == 0)
      pack_bias(s, call->weights.bias_ih, call->weights.bias_hh, call->bias);
    if (call->peephole && share == 0)
      for (Index q = 0; q < Cell::slots - 1; ++q)
        for (Index u = 0; u < s.padded; ++u)
          call->peephole[q * s.padded + u] =
              u < s.units ? call->weights.peephole[q * s.units + u] : T(0);
    if (call->ih_back)
      pack_backward(s, call->weights.ih, s.inputs, Cell::x_gate, Cell::x_vectors, call->ih_back,
                    part(panel_count<back_panel>((s.inputs + W - 1) / W), share, shares));
    if (call->hh_back)
      pack_backward(s, call->weights.hh, s.units, Cell::h_gate, Cell::h_vectors, call->hh_back,
                    part(panel_count<back_panel>(s.groups), share, shares));
  }

  // Where the k of a transposed product are in a row of gate gradients.
  static Runs runs_of(const Shape& s, int slot, int vectors, Run* runs) {
    int count = 0;
    const Index whole = s.units / W;
    if (vectors == Cell::slots) {
      if (whole) runs[count++] = {0, whole * vectors * W};
    } else {
      for (Index g = 0; g < whole; ++g)
        runs[count++] = {(g * Cell::slots + slot) * W, static_cast<Index>(vectors) * W};
    }
    if (s.units > whole * W)
      for (int q = 0; q < vectors; ++q)
        runs[count++] = {(whole * Cell::slots + slot + q) * W, s.units - whole * W};
    return {runs, count};
  }

  // ------------------------------------------------------------------ forward

  static Index most_rows(const Layer<T>& l) {
    Index rows = 0;
    for (int team = 0; team < l.teams; ++team)
      if (l.walks[team].rows > rows) rows = l.walks[team].rows;
    return rows;
  }

  static Index forward_scratch(const Layer<T>* l) {
    const Shape& s = *l->shape;
    const Index rows = most_rows(*l), floor = rows > l->chunk ? rows : l->chunk;
    Index bytes = (3 + (Cell::general ? 2 : 0)) * rows * s.padded * static_cast<Index>(sizeof(T));
    if (!(l->gates && Cell::saves_gates)) bytes += floor * row_size(s) * static_cast<Index>(sizeof(T));
    bytes += l->members * (floor * 2 + rows + 16) * static_cast<Index>(sizeof(void*));
    return (bytes + 64 * (8 + 4 * l->members)) / 64 * 64 / static_cast<Index>(sizeof(T));
  }

  struct Part {
    Range groups, panels;
  };
  RELEMBRA_INLINE static Part part_of(const Shape& s, int member, int members) {
    const Range stretches =
        part((s.groups + stretch_groups - 1) / stretch_groups, member, members);
    const Index last = panel_count<panel>(s.groups * Cell::x_vectors);
    const auto capped = [](Index x, Index most_of) { return x < most_of ? x : most_of; };
    return {{capped(stretches.begin * stretch_groups, s.groups),
             capped(stretches.end * stretch_groups, s.groups)},
            {capped(stretches.begin * stretch_panels, last),
             capped(stretches.end * stretch_panels, last)}};
  }

  static void copy_rows(const Walk& w, const T* from, Index units, Range groups, T* to,
                        Index padded) {
    for (Index r = 0; r < w.rows; ++r)
      for (Index g = groups.begin; g < groups.end; ++g)
        store<T>(to + r * padded + g * W,
                 from ? load_upto<T>(from + w.row[r] * units + g * W,
                                     static_cast<int>(units - g * W < W ? units - g * W : W))
                      : Vec<T>{});
  }

  static void forward(const Forward<T>* call, int share) {
    if (call->layer.gates || call->layer.cells) return walk_forward<true, T>(*call, share);
    const Storage storage = call->layer.narrow ? call->layer.narrow->storage : Storage::whole;
    with_storage<T>(storage, [&](auto kind) { walk_forward<false, decltype(kind)>(*call, share); });
  }

  // The products with the input and with the state, of weights stored as S.
  template <class S> static Product<T, S> from_input(const Layer<T>& l, const Run* ks) {
    const Shape& s = *l.shape;
    const void* panels = l.narrow ? l.narrow->ih : l.ih;
    return {static_cast<const S*>(panels), s.groups * Cell::x_vectors, s.inputs, {ks, 1},
            Cell::x_slot * W, panel_step, 0, l.narrow ? l.narrow->ih_scale : nullptr,
            forward_chain};
  }
  template <class S> static Product<T, S> from_state(const Layer<T>& l, const Run* ks) {
    const Shape& s = *l.shape;
    const void* panels = l.narrow ? l.narrow->hh : l.hh;
    return {static_cast<const S*>(panels), s.groups * Cell::h_vectors, s.units, {ks, 1},
            Cell::h_slot * W, panel_step, 0, l.narrow ? l.narrow->hh_scale : nullptr,
            forward_chain};
  }

  template <bool Keep, class S> static void walk_forward(const Forward<T>& call, int share) {
    const Layer<T>& l = call.layer;
    const Shape& s = *l.shape;
    const int member = share % l.members, team = share / l.members;
    const Walk& w = l.walks[team];
    Barrier& barrier = l.barriers[team];
    const Part own = part_of(s, member, l.members);
    const Index size = row_size(s), padded = s.padded, n = w.rows;
    const Index room = n > l.chunk ? n : l.chunk;
    constexpr bool in_place = Keep && Cell::saves_gates;  // the sums become the gates kept

    Arena arena{reinterpret_cast<char*>(l.scratch + team * l.scratch_stride)};
    T* h[2];
    h[0] = arena.take<T>(n * padded);
    h[1] = arena.take<T>(n * padded);
    T* c = arena.take<T>(Cell::has_cell ? n * padded : 0);
    // The state as the product sees it: under recurrent dropout not the state itself.
    const T* mask = Cell::general ? l.options->state_mask : nullptr;
    T* seen[2] = {h[0], h[1]};
    if (mask) {
      seen[0] = arena.take<T>(n * padded);
      seen[1] = arena.take<T>(n * padded);
    }
    T* chunk = arena.take<T>(in_place ? 0 : room * size);
    const T** from = nullptr;
    T** sums = nullptr;
    T** shown = nullptr;
    for (int m = 0; m <= member; ++m) {
      from = arena.take<const T*>(room);
      sums = arena.take<T*>(room);
      shown = arena.take<T*>(n);
    }

    copy_rows(w, l.hidden0, s.units, own.groups, h[0], padded);
    if constexpr (Cell::has_cell) copy_rows(w, l.cell0, s.units, own.groups, c, padded);
    if (w.steps) clear_rows(w, 0, own.groups, padded, h[0], c);
    if (mask) mask_rows(s, w, mask, w.steps ? active(w, 0) : 0, own.groups, h[0], seen[0]);
    meet(barrier, l.members);

    const Run all_x{0, s.inputs}, all_h{0, s.units};
    const auto from_x = from_input<S>(l, &all_x);
    const auto from_h = from_state<S>(l, &all_h);

    for (Index begin = 0; begin < w.steps;) {
      const Index end = chunk_end(w, begin, l.chunk);
      const Index first = offset(w, begin);
      T* base = in_place ? l.gates + (w.base + first) * size : chunk;
      Index i = 0;
      for (Index step = begin; step < end; ++step)
        for (Index r = 0; r < active(w, step); ++r, ++i) {
          from[i] = l.x.data + w.row[r] * l.x.row + time_of(w, step, r) * l.x.time;
          sums[i] = base + i * size;
        }
      project(from_x, l.bias, from, sums, i, own);
      for (Index step = begin; step < end; ++step) {
        const Index rows = active(w, step), at = offset(w, step);
        for (Index r = 0; r < rows; ++r)
          shown[r] = call.output.data + w.row[r] * call.output.row +
                     time_of(w, step, r) * call.output.time;
        T* cells = Keep && Cell::has_cell ? l.cells + (w.base + at) * padded : nullptr;
        step_forward<Keep, S>(l, w, step, from_h, own, seen[step & 1], h[step & 1],
                              h[(step + 1) & 1], c, sums + (at - first), shown, cells);
        if (step + 1 < w.steps) clear_rows(w, step + 1, own.groups, padded, h[(step + 1) & 1], c);
        if (mask) mask_rows(s, w, mask, rows, own.groups, h[(step + 1) & 1], seen[(step + 1) & 1]);
        meet(barrier, l.members);
      }
      begin = end;
    }
    for (Index r = 0; r < n; ++r)
      for (Index g = own.groups.begin; g < own.groups.end; ++g) {
        const int lanes = static_cast<int>(s.units - g * W < W ? s.units - g * W : W);
        const Index to = w.row[r] * s.units + g * W, at = r * padded + g * W;
        const bool zero = cleared(w, r);
        store_upto<T>(call.hidden + to, zero ? Vec<T>{} : load<T>(h[steps_of(w, r) & 1] + at), lanes);
        if constexpr (Cell::has_cell)
          store_upto<T>(call.cell + to, zero ? Vec<T>{} : load<T>(c + at), lanes);
      }
  }

  // Zero the states, of our units, of the rows that begin a segment at this step.
  RELEMBRA_INLINE static void clear_rows(const Walk& w, Index step, Range groups, Index padded,
                                         T* h, T* c) {
    if (!w.reset) return;
    for (Index r = 0; r < active(w, step); ++r)
      if (resets(w, step, r))
        for (Index i = r * padded + groups.begin * W; i < r * padded + groups.end * W; ++i) {
          h[i] = T(0);
          if constexpr (Cell::has_cell) c[i] = T(0);
        }
  }

  static void mask_rows(const Shape& s, const Walk& w, const T* mask, Index rows, Range groups,
                        const T* h, T* to) {
    for (Index r = 0; r < rows; ++r)
      for (Index g = groups.begin; g < groups.end; ++g) {
        const Index at = r * s.padded + g * W;
        store<T>(to + at, load<T>(h + at) * load_upto<T>(mask + w.row[r] * s.units + g * W,
                                                        lanes_of(s, g)));
      }
  }
  RELEMBRA_INLINE static int lanes_of(const Shape& s, Index g) {
    return static_cast<int>(s.units - g * W < W ? s.units - g * W : W);
  }

  // What the options say of one row and group at one step.
  template <class Point>
  RELEMBRA_INLINE static void set_options(Point& point, const Layer<T>& l, const Walk& w,
                                          Index step, Index r, Index g) {
    const Shape& s = *l.shape;
    const Options<T>& o = *l.options;
    point.options = &o;
    point.stride = s.padded;
    point.peephole = o.peephole ? o.peephole + g * W : nullptr;
    const Index at = (w.row[r] * w.batch_steps + time_of(w, step, r)) * s.units + g * W;
    const int lanes = lanes_of(s, g);
    point.kept = o.candidate_mask ? load_upto<T>(o.candidate_mask + at, lanes) : broadcast<T>(T(1));
    point.keep_hidden =
        o.hidden_mask ? load_upto<T>(o.hidden_mask + at, lanes) : broadcast<T>(o.keep_hidden);
    point.keep_cell =
        o.cell_mask ? load_upto<T>(o.cell_mask + at, lanes) : broadcast<T>(o.keep_cell);
  }

  // The sums of our units for a chunk of positions: biases and the product with the input.
  template <class S>
  static void project(const Product<T, S>& y, const T* bias, const T** from, T** sums,
                      Index count, const Part& own) {
    constexpr int most = tile_rows<S>(panel);
    const Blocks blocks = blocks_of(count, most);
    const T* biases[most];
    for (int r = 0; r < most; ++r) biases[r] = bias;
    for (Index p = own.panels.begin; p < own.panels.end; p += stretch_panels) {
      const Index stop = p + stretch_panels < own.panels.end ? p + stretch_panels : own.panels.end;
      for (Index i = 0, at = 0; i < blocks.count; ++i) {
        const int rows = block_size(blocks, i);
        product<T, panel, false>(y, from + at, sums + at, biases, rows, p, stop);
        at += rows;
      }
    }
    if constexpr (Cell::h_slot + Cell::h_vectors > Cell::x_slot + Cell::x_vectors) {
      // The slot that the input has no part in begins at its bias.
      constexpr int slot = Cell::slots - 1;
      for (Index i = 0; i < count; ++i)
        for (Index g = own.groups.begin; g < own.groups.end; ++g) {
          const Index at = (g * Cell::slots + slot) * W;
          store<T>(sums[i] + at, load<T>(bias + at));
        }
    }
  }

  template <bool Keep, class S>
  RELEMBRA_INLINE static void step_forward(const Layer<T>& l, const Walk& w, Index step,
                                           const Product<T, S>& from_h, const Part& own,
                                           const T* seen, const T* h_old, T* h_new, T* c,
                                           T* const* sums, T* const* shown, T* cells) {
    const Shape& s = *l.shape;
    const Index rows = active(w, step);
    const Index padded = s.padded;
    constexpr int most = tile_rows<S>(panel);
    const Blocks blocks = blocks_of(rows, most);
    // With a single block of few rows, several panels at once hide the latency of the additions.
    const Index panels = blocks.count == 1 ? stretch_panels * 4 : stretch_panels;
    const Index groups = blocks.count == 1 ? stretch_groups * 4 : stretch_groups;
    Index g_begin = own.groups.begin;
    for (Index p = own.panels.begin; p < own.panels.end; p += panels, g_begin += groups) {
      const Index p_end = p + panels < own.panels.end ? p + panels : own.panels.end;
      const Index g_end = g_begin + groups < own.groups.end ? g_begin + groups : own.groups.end;
      for (Index i = 0, first = 0; i < blocks.count; ++i) {
        const int size = block_size(blocks, i);
        const T* a[most];
        for (int r = 0; r < size; ++r) a[r] = seen + (first + r) * padded;
        product<T, panel, false>(from_h, a, sums + first, sums + first, size, p, p_end);
        for (Index r = first; r < first + size; ++r)
          for (Index g = g_begin; g < g_end; ++g) {
            T* at = sums[r] + g * Cell::slots * W;
            Vec<T> sum[Cell::slots];
            for (int q = 0; q < Cell::slots; ++q) sum[q] = load<T>(at + q * W);
            const Index unit = r * padded + g * W;
            ForwardPoint<T> point;
            point.sum = sum;
            point.gates = at;
            point.h_old = h_old + unit;
            point.c = c + unit;
            point.c_saved = Keep && Cell::has_cell ? cells + unit : nullptr;
            if constexpr (Cell::general) set_options(point, l, w, step, r, g);
            const Vec<T> h = Cell::template forward<Keep>(point);
            store<T>(h_new + unit, h);
            store_upto<T>(shown[r] + g * W, h,
                          static_cast<int>(s.units - g * W < W ? s.units - g * W : W));
          }
        first += size;
      }
    }
  }

  // ------------------------------------------------------------------ backward

  static Index backward_scratch(const Layer<T>* l) {
    const Shape& s = *l->shape;
    const Index rows = most_rows(*l), room = rows > l->chunk ? rows : l->chunk;
    Index bytes = 2 * rows * s.padded * static_cast<Index>(sizeof(T));
    bytes += room * (row_size(s) + left_width(s.inputs) + left_width(s.units)) *
             static_cast<Index>(sizeof(T));
    bytes += l->members * ((6 * rows + 2 * room + 16) * static_cast<Index>(sizeof(void*)) +
                           2 * (s.groups + 4) * static_cast<Index>(sizeof(Run)));
    return (bytes + 64 * (8 + 12 * l->members)) / 64 * 64 / static_cast<Index>(sizeof(T));
  }

  // Rows outside that a step of the walk back looks at.
  struct Rows {
    const T **h_old, **h_new, **c_old, **d_out;
    T **dh, **d_gates;
  };

  struct Back {  // what stays the same through one walk back
    const Backward<T>& call;
    const Shape& s;
    const Walk& w;
    Range groups;
    T *dh, *dc, *d_gates, *inputs, *states, *d_peephole;
    const T** d_gate_rows;
    T** dx_rows;
    Rows rows;
    bool far;  // what forward kept is larger than the caches that are a core's own
  };

  static void backward(const Backward<T>* pointer, int share) {
    const Backward<T>& call = *pointer;
    const Layer<T>& l = call.layer;
    const Shape& s = *l.shape;
    const int member = share % l.members, team = share / l.members;
    const Walk& w = l.walks[team];
    Barrier& barrier = l.barriers[team];
    const Index padded = s.padded, n = w.rows, size = row_size(s);
    const Index room = n > l.chunk ? n : l.chunk;
    // Whole panels of the transposed product, so that a member needs no other's gradients of h.
    const Range own_panels = part(panel_count<back_panel>(s.groups), member, l.members);
    const Index last = own_panels.end * back_panel;
    const Range groups{own_panels.begin * back_panel, last < s.groups ? last : s.groups};

    Arena arena{reinterpret_cast<char*>(l.scratch + team * l.scratch_stride)};
    T* dh = arena.take<T>(n * padded);
    T* dc = arena.take<T>(n * padded);
    T* d_gates = arena.take<T>(room * size);
    T* inputs = arena.take<T>(room * left_width(s.inputs));
    T* states = arena.take<T>(room * left_width(s.units));
    Rows rows{};
    Run *x_runs = nullptr, *h_runs = nullptr;
    const T** d_gate_rows = nullptr;
    T** dx_rows = nullptr;
    for (int m = 0; m <= member; ++m) {
      rows.h_old = arena.take<const T*>(n);
      rows.h_new = arena.take<const T*>(n);
      rows.c_old = arena.take<const T*>(n);
      rows.d_out = arena.take<const T*>(n);
      rows.dh = arena.take<T*>(n);
      rows.d_gates = arena.take<T*>(n);
      d_gate_rows = arena.take<const T*>(room);
      dx_rows = arena.take<T*>(room);
      x_runs = arena.take<Run>(s.groups + 4);
      h_runs = arena.take<Run>(s.groups + 4);
    }
    T* mine = call.gradients + team * s.gradient;
    T* d_peephole = mine + s.gradient - (Cell::has_peepholes ? Cell::slots * padded : 0);
    const Back b{call,   s,      w,          groups,      dh,      dc,  d_gates,
                 inputs, states, d_peephole, d_gate_rows, dx_rows, rows,
                 n * w.steps * size * static_cast<Index>(sizeof(T)) > (1 << 19)};

    copy_rows(w, call.d_hidden, s.units, groups, dh, padded);
    if constexpr (Cell::has_cell) copy_rows(w, call.d_cell, s.units, groups, dc, padded);
    for (Index r = 0; r < n; ++r) {
      rows.dh[r] = dh + r * padded;
      if (cleared(w, r)) forget(b, r);
    }
    // The first chunk writes what the others add to; of no steps there is none.
    const Index unwritten = w.steps ? d_peephole - mine : 0;
    const Range zeroed = part(s.gradient - unwritten, member, l.members);
    if (!call.go_on)
      for (Index i = zeroed.begin; i < zeroed.end; ++i) mine[unwritten + i] = T(0);
    meet(barrier, l.members);

    const Product<T> to_h{l.hh_back, s.groups, Cell::h_vectors * s.units,
                          runs_of(s, Cell::h_slot, Cell::h_vectors, h_runs), 0,
                          back_panel * W, 0};
    const Product<T> to_x{l.ih_back, (s.inputs + W - 1) / W, Cell::x_vectors * s.units,
                          runs_of(s, Cell::x_slot, Cell::x_vectors, x_runs), 0,
                          back_panel * W, s.inputs};
    for (Index end = w.steps; end > 0;) {
      const Index begin = chunk_begin(w, end, l.chunk), first = offset(w, begin);
      for (Index step = end; step-- > begin;) {
        const Index at = offset(w, step), count = active(w, step);
        gather(b, step, d_gates + (at - first) * size);
        if (b.far) step_backward<true>(b, step);
        else step_backward<false>(b, step);
        meet(barrier, l.members);
        to_state(b, to_h, own_panels, count);
        for (Index r = 0; r < count; ++r)
          if (resets(w, step, r)) forget(b, r);
      }
      const Index count = offset(w, end) - first;
      fill(b, begin, end, member, l.members);
      meet(barrier, l.members);
      to_weights(b, count, mine, member, l.members, end == w.steps && !call.go_on);
      if (call.d_x.data) to_input(b, to_x, begin, end, member, l.members);
      meet(barrier, l.members);
      end = begin;
    }
    for (Index r = 0; r < n; ++r)
      for (Index g = groups.begin; g < groups.end; ++g) {
        const int lanes = static_cast<int>(s.units - g * W < W ? s.units - g * W : W);
        const Index to = w.row[r] * s.units + g * W, at = r * padded + g * W;
        store_upto<T>(call.d_hidden0 + to, load<T>(dh + at), lanes);
        if constexpr (Cell::has_cell) store_upto<T>(call.d_cell0 + to, load<T>(dc + at), lanes);
      }
  }

  // The state before here was cleared: nothing flows further back.
  static void forget(const Back& b, Index r) {
    for (Index i = r * b.s.padded + b.groups.begin * W; i < r * b.s.padded + b.groups.end * W; ++i) {
      b.dh[i] = T(0);
      if constexpr (Cell::has_cell) b.dc[i] = T(0);
    }
  }

  // Where the state before step (s, r) is outside; null for zeros.
  RELEMBRA_INLINE static const T* state_before(const Back& b, Index step, Index r) {
    const Layer<T>& l = b.call.layer;
    if (resets(b.w, step, r)) return nullptr;
    if (step == 0) return l.hidden0 ? l.hidden0 + b.w.row[r] * b.s.units : nullptr;
    const Sequence<const T>& y = b.call.output;
    return y.data + b.w.row[r] * y.row + time_of(b.w, step - 1, r) * y.time;
  }
  RELEMBRA_INLINE static const T* cell_before(const Back& b, Index step, Index r) {
    const Layer<T>& l = b.call.layer;
    if (resets(b.w, step, r)) return nullptr;
    if (step == 0) return l.cell0 ? l.cell0 + b.w.row[r] * b.s.units : nullptr;
    return l.cells + (b.w.base + offset(b.w, step - 1) + r) * b.s.padded;
  }

  RELEMBRA_INLINE static void gather(const Back& b, Index step, T* d_gates) {
    const Backward<T>& call = b.call;
    const Index count = active(b.w, step), size = row_size(b.s);
    for (Index r = 0; r < count; ++r) {
      const Index t = time_of(b.w, step, r), row = b.w.row[r];
      if constexpr (Cell::needs_h_old) b.rows.h_old[r] = state_before(b, step, r);
      if constexpr (Cell::needs_h_new)
        b.rows.h_new[r] = call.output.data + row * call.output.row + t * call.output.time;
      if constexpr (Cell::has_cell) b.rows.c_old[r] = cell_before(b, step, r);
      b.rows.d_out[r] =
          call.d_output.data ? call.d_output.data + row * call.d_output.row + t * call.d_output.time
                             : nullptr;
      b.rows.d_gates[r] = d_gates + r * size;
    }
  }

  RELEMBRA_INLINE static Vec<T> some(const T* p, Index at, int lanes) {
    return p ? load_upto<T>(p + at, lanes) : Vec<T>{};
  }

  // The walk goes back through memory that forward wrote long ago: ask for the next step's early.
  RELEMBRA_INLINE static void fetch_before(const Back& b, Index step, Index r, Index g) {
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    const Layer<T>& l = b.call.layer;
    const Index size = row_size(b.s), slot = g * Cell::slots * W;
    if constexpr (Cell::saves_gates) {
      const T* gates = l.gates + (b.w.base + offset(b.w, step - 1) + r) * size + slot;
      for (Index i = 0; i < Cell::slots * W; i += line) __builtin_prefetch(gates + i);
    }
    if constexpr (Cell::has_cell)
      if (step > 1)
        __builtin_prefetch(l.cells + (b.w.base + offset(b.w, step - 2) + r) * b.s.padded + g * W);
    const Sequence<const T>& d = b.call.d_output;
    if (d.data)
      __builtin_prefetch(d.data + b.w.row[r] * d.row + time_of(b.w, step - 1, r) * d.time + g * W);
  }

  template <bool Far> static void step_backward(const Back& b, Index step) {
    const Shape& s = b.s;
    const Layer<T>& l = b.call.layer;
    const Index position = b.w.base + offset(b.w, step);
    for (Index r = 0; r < active(b.w, step); ++r)
      for (Index g = b.groups.begin; g < b.groups.end; ++g) {
        const Index unit = g * W, slot = g * Cell::slots * W;
        const int lanes = static_cast<int>(s.units - unit < W ? s.units - unit : W);
        BackwardPoint<T> point{};
        if constexpr (Cell::saves_gates)
          point.gates = l.gates + (position + r) * row_size(s) + slot;
        if constexpr (Cell::needs_h_old) point.h_old = some(b.rows.h_old[r], unit, lanes);
        if constexpr (Cell::needs_h_new) point.h_new = some(b.rows.h_new[r], unit, lanes);
        if constexpr (Cell::general) {
          set_options(point, l, b.w, step, r, g);
          point.d_peephole = b.d_peephole + unit;
        }
        if constexpr (Cell::has_cell) {
          point.c_old = some(b.rows.c_old[r], unit, lanes);
          point.c_new = l.cells + (position + r) * s.padded + unit;
          point.dc = b.dc + r * s.padded + unit;
        }
        if constexpr (Far)
          if (step > 0) fetch_before(b, step, r, g);
        T* dh = b.dh + r * s.padded + unit;
        point.dh = load<T>(dh) + some(b.rows.d_out[r], unit, lanes);
        point.dh_old = dh;
        point.d_gates = b.rows.d_gates[r] + slot;
        Cell::backward(point);
      }
  }

  // The gradient of the old state, of our units: all units' gates times U.
  RELEMBRA_INLINE static void to_state(const Back& b, const Product<T>& y, Range panels,
                                       Index rows) {
    const T* mask = Cell::general ? b.call.layer.options->state_mask : nullptr;
    if (mask) {
      to_masked_state(b, y, panels, rows, mask);
      return;
    }
    const Blocks blocks = blocks_of(rows, back_most);
    const Index at_once = blocks.count == 1 ? 4 : 1;
    for (Index p = panels.begin; p < panels.end; p += at_once) {
      const Index end = p + at_once < panels.end ? p + at_once : panels.end;
      for (Index i = 0, first = 0; i < blocks.count; ++i) {
        const int size = block_size(blocks, i);
        product<T, back_panel, false>(y, b.rows.d_gates + first, b.rows.dh + first,
                                      Cell::has_direct ? b.rows.dh + first : nullptr, size, p, end);
        first += size;
      }
    }
  }

  // The same where the product saw the state through a mask.
  static void to_masked_state(const Back& b, const Product<T>& y, Range panels, Index rows,
                              const T* mask) {
    const Blocks blocks = blocks_of(rows, back_most);
    T values[back_most][back_panel * W];
    T* to[back_most];
    for (int r = 0; r < back_most; ++r) to[r] = values[r];
    for (Index p = panels.begin; p < panels.end; ++p) {
      Product<T> one = y;
      one.first = -p * y.step;
      for (Index i = 0, first = 0; i < blocks.count; ++i) {
        const int size = block_size(blocks, i);
        product<T, back_panel, false>(one, b.rows.d_gates + first, to, nullptr, size, p, p + 1);
        for (Index r = first; r < first + size; ++r)
          for (Index v = 0; v < back_panel && p * back_panel + v < b.s.groups; ++v) {
            const Index g = p * back_panel + v;
            T* dh = b.rows.dh[r] + g * W;
            const Vec<T> m =
                load_upto<T>(mask + b.w.row[r] * b.s.units + g * W, lanes_of(b.s, g));
            store<T>(dh, fma(m, load<T>(values[r - first] + v * W), load<T>(dh)));
          }
        first += size;
      }
    }
  }

  // The left sides of the weights' gradients: rows (x, 1) and (state before, 1), whole vectors.
  RELEMBRA_INLINE static Index left_width(Index count) { return (count + W) / W * W; }

  RELEMBRA_INLINE static void copy_left(const T* from, Index count, T* to) {
    Index k = 0;
    for (; k + W <= count; k += W) store<T>(to + k, load<T>(from + k));
    if (k < count) store<T>(to + k, load_some(from + k, static_cast<int>(count - k)));
    to[count] = T(1);
  }

  static void fill(const Back& b, Index begin, Index end, int member, int members) {
    const Layer<T>& l = b.call.layer;
    const Index first = offset(b.w, begin), ix = b.s.inputs, ih = b.s.units;
    for (Index step = begin; step < end; ++step) {
      const Range rows = part(active(b.w, step), member, members);
      for (Index r = rows.begin; r < rows.end; ++r) {
        const Index i = offset(b.w, step) - first + r;
        const T* x = l.x.data + b.w.row[r] * l.x.row + time_of(b.w, step, r) * l.x.time;
        copy_left(x, ix, b.inputs + i * left_width(ix));
        const T* h = state_before(b, step, r);
        T* to = b.states + i * left_width(ih);
        if (h) {
          copy_left(h, ih, to);
        } else {
          for (Index k = 0; k < ih; ++k) to[k] = T(0);
          to[ih] = T(1);
        }
        if constexpr (Cell::general) {
          if (const T* mask = l.options->state_mask)
            for (Index k = 0; k < ih; ++k) to[k] *= mask[b.w.row[r] * ih + k];
        }
      }
    }
  }

  // Whether the gradients of weights of so many columns are written to their place at once, in the
  // weights' own layout: where one chunk of few positions is all that there is.
  static bool at_once(const Backward<T>& call, Index columns) {
    const Walk& w = *call.layer.walks;
    return call.whole && call.layer.teams == 1 && w.steps && columns % W == 0 &&
           offset(w, w.steps) <= few_positions && chunk_begin(w, w.steps, call.layer.chunk) == 0;
  }

  static void to_weights(const Back& b, Index count, T* to, int member, int members,
                         bool fresh) {
    const WeightGradients<T>& out = b.call.weights;
    const Index x_width = Cell::x_vectors * b.s.padded, h_width = Cell::h_vectors * b.s.padded;
    const Index x_rows = b.s.inputs + 1, h_rows = b.s.units + (Cell::h_bias_apart ? 1 : 0);
    const Range panels = part(panel_count<panel>(b.s.groups * Cell::x_vectors), member, members);
    const Range groups = part(b.s.groups, member, members);
    if (at_once(b.call, b.s.inputs))
      write_side(b, b.inputs, b.s.inputs, count, Cell::x_slot, Cell::x_vectors, Cell::x_gate, out.ih,
                 out.bias_ih, groups);
    else
      outer_product<T, panel>(b.inputs, left_width(b.s.inputs), x_rows, b.d_gates, row_size(b.s),
                              Cell::x_slot * W, panel_step, count, to, x_width,
                              b.s.groups * Cell::x_vectors, panels.begin, panels.end, fresh);
    if (at_once(b.call, b.s.units))
      write_side(b, b.states, b.s.units, count, Cell::h_slot, Cell::h_vectors, Cell::h_gate, out.hh,
                 Cell::h_bias_apart ? out.bias_hh : nullptr, groups);
    else
      outer_product<T, panel>(b.states, left_width(b.s.units), h_rows, b.d_gates, row_size(b.s),
                              Cell::h_slot * W, panel_step, count, to + x_rows * x_width, h_width,
                              b.s.groups * Cell::h_vectors, panels.begin, panels.end, fresh);
  }

  // The same sums in the same order as by way of the private gradients.
  static void write_side(const Back& b, const T* left, Index columns, Index count, int slot,
                         int vectors, const int* gate, T* weights, T* bias, Range groups) {
    const Index size = row_size(b.s), panels = panel_count<panel>(columns / W);
    for (int q = 0; q < vectors; ++q)
      for (Index g = groups.begin; g < groups.end; ++g) {
        const T* d = b.d_gates + (g * Cell::slots + slot + q) * W;
        const Index row = gate[q] * b.s.units + g * W;
        const int lanes = lanes_of(b.s, g);
        outer_product<T, panel>(d, size, lanes, left, left_width(columns), 0, panel * W, count,
                                weights + row * columns, columns, columns / W, 0, panels, true);
        if (!bias) continue;
        Vec<T> sum{};
        for (Index i = 0; i < count; ++i) sum = sum + load<T>(d + i * size);
        store_upto<T>(bias + row, sum, lanes);
      }
  }

  static void to_input(const Back& b, const Product<T>& y, Index begin, Index end, int member,
                       int members) {
    const Sequence<T>& dx = b.call.d_x;
    const Index first = offset(b.w, begin), size = row_size(b.s);
    Index count = 0;
    for (Index step = begin; step < end; ++step) {
      const Range rows = part(active(b.w, step), member, members);
      for (Index r = rows.begin; r < rows.end; ++r, ++count) {
        b.d_gate_rows[count] = b.d_gates + (offset(b.w, step) - first + r) * size;
        b.dx_rows[count] = dx.data + b.w.row[r] * dx.row + time_of(b.w, step, r) * dx.time;
      }
    }
    const Blocks blocks = blocks_of(count, back_most);
    const Index panels = panel_count<back_panel>(y.vectors);
    for (Index p = 0; p < panels; ++p)
      for (Index i = 0, at = 0; i < blocks.count; ++i) {
        const int rows = block_size(blocks, i);
        product<T, back_panel, true>(y, b.d_gate_rows + at, b.dx_rows + at,
                                     b.call.add_to_d_x ? b.dx_rows + at : nullptr, rows, p, p + 1);
        at += rows;
      }
  }

  // ------------------------------------------------------------------ trace

  // States and gates of every step that the rows of a team took.
  static void trace(const Tracing<T>* call, int team) {
    const Layer<T>& l = call->layer;
    const Shape& s = *l.shape;
    const Walk& w = l.walks[team];
    for (Index step = 0; step < w.steps; ++step)
      for (Index r = 0; r < active(w, step); ++r) {
        const Index t = time_of(w, step, r), row = w.row[r];
        const T* h = call->output.data + row * call->output.row + t * call->output.time;
        const Index position = w.base + offset(w, step) + r;
        const T* c_old = nullptr;
        if constexpr (Cell::has_cell)
          if (!resets(w, step, r))
            c_old = step > 0    ? l.cells + (w.base + offset(w, step - 1) + r) * s.padded
                    : l.cell0   ? l.cell0 + row * s.units
                                : nullptr;
        for (Index g = 0; g < s.groups; ++g) {
          const Index unit = g * W, to = (row * w.batch_steps + t) * s.units + unit;
          const int lanes = lanes_of(s, g);
          BackwardPoint<T> point{};
          if constexpr (Cell::saves_gates)
            point.gates = l.gates + position * row_size(s) + g * Cell::slots * W;
          point.h_new = load_upto<T>(h + unit, lanes);
          if constexpr (Cell::general) set_options(point, l, w, step, r, g);
          if constexpr (Cell::has_cell) {
            point.c_old = some(c_old, unit, lanes);
            store_upto<T>(call->cell + to, load<T>(l.cells + position * s.padded + unit), lanes);
          }
          Vec<T> gates[Cell::gates];
          Cell::show(point, gates);
          store_upto<T>(call->hidden + to, point.h_new, lanes);
          for (int q = 0; q < Cell::gates; ++q) store_upto<T>(call->gates[q] + to, gates[q], lanes);
        }
      }
  }

  // ------------------------------------------------------------------ gradients of the weights

  // Add up the teams' parts, in their order, and put them into PyTorch's layout.
  static void collect(const Backward<T>* call, int share, int shares) {
    const Shape& s = *call->layer.shape;
    const Range groups = part(s.groups, share, shares);
    const Index x_part = (s.inputs + 1) * Cell::x_vectors * s.padded;
    const WeightGradients<T>& to = call->weights;
    if (!at_once(*call, s.inputs))
      gather_side(*call, 0, s.inputs, Cell::x_vectors, Cell::x_gate, to.ih, to.bias_ih,
                  groups);
    if (!at_once(*call, s.units))
      gather_side(*call, x_part, s.units, Cell::h_vectors, Cell::h_gate, to.hh,
                  Cell::h_bias_apart ? to.bias_hh : nullptr, groups);
    if constexpr (Cell::has_peepholes) {
      if (to.peephole)
        for (Index q = 0; q < Cell::slots - 1; ++q)
          for (Index u = groups.begin * W; u < groups.end * W && u < s.units; ++u) {
            T sum = T(0);
            for (int team = 0; team < call->layer.teams; ++team)
              sum += call->gradients[(team + 1) * s.gradient - (Cell::slots - q) * s.padded + u];
            to.peephole[q * s.units + u] = sum;
          }
    }
    if constexpr (!Cell::h_bias_apart) {
      if (to.bias_hh)
        for (int q = 0; q < Cell::gates; ++q)
          for (Index u = groups.begin * W; u < groups.end * W && u < s.units; ++u)
            to.bias_hh[q * s.units + u] = to.bias_ih[q * s.units + u];
    }
  }

  static void gather_side(const Backward<T>& call, Index start, Index k_count, int vectors,
                          const int* gate, T* weights, T* bias, Range groups) {
    const Shape& s = *call.layer.shape;
    const Index ld = vectors * s.padded;
    for (Index i = groups.begin * vectors; i < groups.end * vectors; ++i) {
      const Index unit = i / vectors * W, row = gate[i % vectors] * s.units + unit;
      const int lanes = static_cast<int>(s.units - unit < W ? s.units - unit : W);
      const T* from = call.gradients + start + i * W;
      const auto total = [&](Index k) {
        Vec<T> sum = load<T>(from + k * ld);
        for (int team = 1; team < call.layer.teams; ++team)
          sum = sum + load<T>(from + team * s.gradient + k * ld);
        return sum;
      };
      T* to = weights + row * k_count;
      Index k = 0;
      for (; k + W <= k_count; k += W) {
        Vec<T> block[W];
        for (int j = 0; j < W; ++j) block[j] = total(k + j);
        transpose<T>(block);
        for (int lane = 0; lane < lanes; ++lane) store<T>(to + lane * k_count + k, block[lane]);
      }
      for (; k < k_count; ++k) {
        T values[W];
        store<T>(values, total(k));
        for (int lane = 0; lane < lanes; ++lane) to[lane * k_count + k] = values[lane];
      }
      if (bias) store_upto<T>(bias + row, total(k_count), lanes);
    }
  }
};

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
