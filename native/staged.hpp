// The walk over time of cells whose step has several stages: row statistics between the products
// and the gates, a second product behind the reset gate, a projection of the new state.
//
// As in `sweep.hpp` each team walks its own rows through all steps, but a team has one member, for
// a row's statistics need all of its units. A row of sums holds gate after gate, each of `padded`
// elements. With layer normalisation the tape holds the normalised products, that with the input
// and behind it that with the state, and their factors; otherwise the sums, and behind them what
// the state gives to a gate `apart`. Where each gate sees the state through a mask of its own, the
// product with the state is one for each gate.
#pragma once

#include "product.hpp"
#include "staged_cells.hpp"
#include "walk.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

template <class T, template <class> class CellOf> struct StagedSweep {
  using Cell = CellOf<T>;
  static constexpr Index W = width<T>, gates = Cell::gates;
  static constexpr int panel = panel_vectors(4), most = tile_rows<T>(panel);
  static constexpr Index factors = 16;  // two for each product, in a whole cache line of floats

  static constexpr Index whole(Index n) { return (n + W - 1) / W * W; }
  static Index row_size(const Shape& s) {
    return s.norm ? 2 * gates * s.padded + factors : (gates + Cell::apart) * s.padded;
  }
  // Where the product with the state goes: of its own where it is normalised, or a gate apart.
  static Index h_at(const Shape& s, Index gate = 0) {
    return (s.norm ? gates + gate : is_apart(gate) ? gates : gate) * s.padded;
  }
  static bool is_apart(Index gate) { return Cell::apart && gate == gates - 1; }
  // The product with the state is one, or one for each gate that has a mask of its own.
  static Index parts(const Shape& s) { return s.gate_masks ? Cell::first : 1; }
  static Index part_gates(const Shape& s) { return Cell::first / parts(s); }
  static Index masks(const Shape& s) { return s.gate_masks ? gates : 1; }
  static bool projects(const Shape& s) { return s.outputs != s.units; }

  // Where a team's gradients are in its buffer.
  struct Places {
    Index ih, hh, second, hr, bias, bias_apart, gain_x, gain_h, gain_c, bias_c, peephole, size;
  };
  static Places places_of(const Shape& s) {
    Index at = 0;
    const auto take = [&](Index n) {
      const Index from = at;
      at += n;
      return from;
    };
    const Index n = s.padded;
    Places p{};
    p.ih = take(s.inputs * gates * n);
    p.hh = take(s.outputs * Cell::first * n);
    p.second = take(s.units * Cell::second * n);
    p.hr = take(projects(s) ? s.outputs * n : 0);
    p.bias = take(gates * n);
    p.bias_apart = take(n);
    p.gain_x = take(s.norm ? gates * n : 0);
    p.gain_h = take(s.norm ? gates * n : 0);
    p.gain_c = take(n);
    p.bias_c = take(n);
    p.peephole = take(Cell::has_cell ? (gates - 1) * n : 0);
    p.size = at;
    return p;
  }

  static void measure(Shape* s) {
    s->groups = (s->units + W - 1) / W;
    s->padded = s->groups * W;
    s->position = row_size(*s);
    const bool hr = projects(*s);
    s->packed_ih = s->inputs * gates * s->padded;
    s->packed_hh = s->outputs * gates * s->padded + (hr ? s->units * whole(s->outputs) : 0);
    s->packed_ih_back = gates * s->units * whole(s->inputs);
    s->packed_hh_back =
        gates * s->units * whole(s->outputs) + (hr ? s->outputs * s->padded : 0);
    s->packed_bias = (gates + 1 + (s->norm ? 2 * gates + 2 : 0)) * s->padded;
    s->gradient = places_of(*s).size;
  }

  // ------------------------------------------------------------------ packing

  // Some of the vectors (gate, group) of W (gates * units, k) as panels: lanes are units.
  static void pack_gates(const T* weights, Index count, Index units, Index k_count, T* to,
                         int share, int shares) {
    const Index groups = (units + W - 1) / W, all = count * groups;
    const Range own = part(all, share, shares);
    for (Index i = own.begin; i < own.end; ++i) {
      const Index p = i / panel, v = i % panel;
      const Index in_panel = all - p * panel < panel ? all - p * panel : panel;
      const Index unit = i % groups * W;
      const Index lanes = units - unit < W ? units - unit : W;
      const T* from = weights + (i / groups * units + unit) * k_count;
      T* at = to + p * panel * k_count * W + v * W;
      for (Index k = 0; k < k_count; ++k, at += in_panel * W) {
        for (Index lane = 0; lane < lanes; ++lane) at[lane] = from[lane * k_count + k];
        for (Index lane = lanes; lane < W; ++lane) at[lane] = T(0);
      }
    }
  }

  // Some of the panels of W (rows, columns) for the product with W itself: lanes are columns.
  static void pack_columns(const T* weights, Index rows, Index columns, T* to, int share,
                           int shares) {
    const Index all = (columns + W - 1) / W;
    const Range own = part(panel_count<panel>(all), share, shares);
    for (Index p = own.begin; p < own.end; ++p) {
      const Index in_panel = all - p * panel < panel ? all - p * panel : panel;
      const Index first = p * panel * W;
      const Index count = columns - first < in_panel * W ? columns - first : in_panel * W;
      T* at = to + p * panel * rows * W;
      for (Index k = 0; k < rows; ++k, at += in_panel * W) {
        for (Index c = 0; c < count; ++c) at[c] = weights[k * columns + first + c];
        for (Index c = count; c < in_panel * W; ++c) at[c] = T(0);
      }
    }
  }

  // Gate after gate of `from` (zeros where null), or added to what is there.
  static void pack_units(const Shape& s, const T* from, Index count, bool add, T* to) {
    for (Index q = 0; q < count; ++q)
      for (Index u = 0; u < s.padded; ++u) {
        const T value = from && u < s.units ? from[q * s.units + u] : T(0);
        to[q * s.padded + u] = add ? to[q * s.padded + u] + value : value;
      }
  }

  static void pack_small(const Shape& s, const Weights<T>& w, T* to) {
    const Index n = s.padded, last = (gates - 1) * s.units;
    pack_units(s, w.bias_ih, gates, false, to);
    pack_units(s, w.bias_hh, gates - Cell::apart, true, to);
    pack_units(s, Cell::apart && w.bias_hh ? w.bias_hh + last : nullptr, 1, false, to + gates * n);
    if (!s.norm) return;
    to += (gates + 1) * n;
    pack_units(s, w.gain_ih, gates, false, to);
    pack_units(s, w.gain_hh, gates, false, to + gates * n);
    pack_units(s, w.gain_c, 1, false, to + 2 * gates * n);
    pack_units(s, w.bias_c, 1, false, to + (2 * gates + 1) * n);
  }
  static Small<T> small_of(const Layer<T>& l) {
    const Index n = l.shape->padded;
    const T *bias = l.bias, *gains = bias + (gates + 1) * n;
    Small<T> small{bias, bias + gates * n, nullptr, nullptr, nullptr, nullptr,
                   l.options->peephole};
    if (l.shape->norm) {
      small.gain_x = gains;
      small.gain_h = gains + gates * n;
      small.gain_c = gains + 2 * gates * n;
      small.bias_c = gains + (2 * gates + 1) * n;
    }
    return small;
  }

  static void pack(const Packing<T>* call, int share, int shares) {
    const Shape& s = *call->shape;
    const Weights<T>& w = call->weights;
    const Index reset = Cell::first * s.units * s.outputs;  // elements before the second product's
    if (call->ih) {
      pack_gates(w.ih, gates, s.units, s.inputs, call->ih, share, shares);
      for (Index i = 0, g = part_gates(s); i < parts(s); ++i)
        pack_gates(w.hh + i * g * s.units * s.outputs, g, s.units, s.outputs,
                   call->hh + i * g * s.padded * s.outputs, share, shares);
      if constexpr (Cell::second > 0)
        pack_gates(w.hh + reset, Cell::second, s.units, s.units,
                   call->hh + Cell::first * s.padded * s.outputs, share, shares);
      if (projects(s))
        pack_gates(w.hr, 1, s.outputs, s.units, call->hh + gates * s.padded * s.outputs, share,
                   shares);
    }
    if (call->bias && share == 0) pack_small(s, w, call->bias);
    if (call->peephole && share == 0)
      pack_units(s, w.peephole, gates - 1, false, call->peephole);
    if (call->ih_back)
      pack_columns(w.ih, gates * s.units, s.inputs, call->ih_back, share, shares);
    if (call->hh_back) {
      const Index columns = whole(s.outputs);
      for (Index i = 0, k = part_gates(s) * s.units; i < parts(s); ++i)
        pack_columns(w.hh + i * k * s.outputs, k, s.outputs, call->hh_back + i * k * columns,
                     share, shares);
      if constexpr (Cell::second > 0)
        pack_columns(w.hh + reset, Cell::second * s.units, s.units,
                     call->hh_back + Cell::first * s.units * columns, share, shares);
      if (projects(s))
        pack_columns(w.hr, s.outputs, s.units, call->hh_back + gates * s.units * columns, share,
                     shares);
    }
  }

  // ------------------------------------------------------------------ products

  static Product<T> product_of(const T* panels, Index vectors, Index k, Runs ks, Index first,
                               Index columns = 0, Index chain = 0) {
    return {panels, vectors, k, ks, first, panel * W, columns, nullptr, chain};
  }

  // Y = A P (+ add), rows in blocks; a panel stays in the cache while all blocks pass.
  template <bool Ragged = false>
  static void multiply(const Product<T>& y, const T* const* a, T* const* to, const T* const* add,
                       Index count) {
    const Blocks blocks = blocks_of(count, most);
    const Index panels = panel_count<panel>(y.vectors), at_once = blocks.count == 1 ? panels : 1;
    for (Index p = 0; p < panels; p += at_once)
      for (Index i = 0, at = 0; i < blocks.count; ++i) {
        const int rows = block_size(blocks, i);
        product<T, panel, Ragged>(y, a + at, to + at, add ? add + at : nullptr, rows, p,
                                  p + at_once);
        at += rows;
      }
  }

  // Where the units of `count` gates from `gate` on are in a row of gradients.
  static Runs runs_of(const Shape& s, Index at, Index gate, Index count, Run* runs) {
    for (Index q = 0; q < count; ++q) runs[q] = {at + (gate + q) * s.padded, s.units};
    return {runs, static_cast<int>(count)};
  }

  // ------------------------------------------------------------------ forward

  static Index most_rows(const Layer<T>& l) {
    Index rows = 0;
    for (int team = 0; team < l.teams; ++team)
      if (l.walks[team].rows > rows) rows = l.walks[team].rows;
    return rows;
  }

  struct Ahead {
    T *h, *masked, *c, *gated, *m, *low, *chunk, *work;
    const T **from, **left, **biases;
    T **rows, **to, **shown;
  };
  static Ahead lay_ahead(Arena& arena, const Layer<T>& l, Index n) {
    const Shape& s = *l.shape;
    const Index room = n > l.chunk ? n : l.chunk, out = whole(s.outputs);
    Ahead a;
    a.h = arena.take<T>(n * out);
    a.masked = arena.take<T>(n * out);
    a.c = arena.take<T>(Cell::has_cell ? n * s.padded : 0);
    a.gated = arena.take<T>(Cell::second ? n * s.padded : 0);
    a.m = arena.take<T>(n * s.padded);
    a.low = projects(s) ? arena.take<T>(n * out) : a.m;
    a.chunk = arena.take<T>(l.gates ? 0 : room * row_size(s));
    a.work = arena.take<T>(Cell::work_rows * s.padded);
    a.from = arena.take<const T*>(room);
    a.left = arena.take<const T*>(n);
    a.biases = arena.take<const T*>(room);
    a.rows = arena.take<T*>(room);
    a.to = arena.take<T*>(n);
    a.shown = arena.take<T*>(n);
    return a;
  }

  static char* nowhere() { return reinterpret_cast<char*>(std::uintptr_t{64}); }
  static Index elements(const Arena& arena) {
    return (arena.at - nowhere() + 64) / 64 * 64 / static_cast<Index>(sizeof(T));
  }
  static Index forward_scratch(const Layer<T>* l) {
    Arena arena{nowhere()};
    lay_ahead(arena, *l, most_rows(*l));
    return elements(arena);
  }

  // Rows of the walk out of, or into, an array (B, units); zeros where that is null.
  static void load_rows(const Walk& w, const Units<T>& u, const T* from, T* to) {
    for (Index r = 0; r < w.rows; ++r)
      for (Index g = 0; g < u.groups; ++g)
        store<T>(to + r * u.padded + g * W,
                 from ? u.get(from + w.row[r] * u.units, g) : Vec<T>{});
  }
  static void store_rows(const Walk& w, const Units<T>& u, const T* from, T* to) {
    for (Index r = 0; r < w.rows; ++r)
      for (Index g = 0; g < u.groups; ++g)
        u.put(to + w.row[r] * u.units, g, load<T>(from + r * u.padded + g * W));
  }
  RELEMBRA_INLINE static void zero(T* p, Index n) {
    for (Index i = 0; i < n; ++i) p[i] = T(0);
  }

  // A row of this step's factors of the mask (B, T, features); null without.
  RELEMBRA_INLINE static const T* at_step(const T* mask, const Walk& w, Index step, Index r,
                                          Index features) {
    return mask ? mask + (w.row[r] * w.batch_steps + time_of(w, step, r)) * features : nullptr;
  }

  // Normalise the groups begin ... end - 1 of a product, in place.
  RELEMBRA_INLINE static void normalise_groups(const Units<T>& u, int begin, int end, T* x,
                                               T* factor) {
    Index gate = 0;
    for (int i = 0; i < end; ++i) {
      T* at = x + gate * u.padded;
      if (i >= begin) factor[i] = normalise<T>(u, Cell::norm_gates[i], at, at);
      gate += Cell::norm_gates[i];
    }
  }

  static void forward(const Forward<T>* pointer, int team) {
    const Forward<T>& call = *pointer;
    const Layer<T>& l = call.layer;
    const Shape& s = *l.shape;
    const Options<T>& o = *l.options;
    const Walk& w = l.walks[team];
    const Units<T> u(s.units), out(s.outputs);
    const Small<T> small = small_of(l);
    const Index size = row_size(s), n = w.rows, beside = h_at(s), stats = 2 * gates * s.padded;
    Arena arena{reinterpret_cast<char*>(l.scratch + team * l.scratch_stride)};
    const Ahead a = lay_ahead(arena, l, n);
    // The state as the product sees it: under recurrent dropout not the state itself.
    const T* seen = o.state_mask ? a.masked : a.h;

    const Run all_x{0, s.inputs}, all_h{0, s.outputs}, all_m{0, s.units};
    const Product<T> from_x = product_of(l.ih, gates * s.groups, s.inputs, {&all_x, 1}, 0, 0,
                                         forward_chain);
    Product<T> from_h[Cell::first];
    for (Index i = 0, g = part_gates(s); i < parts(s); ++i)
      from_h[i] = product_of(l.hh + i * g * s.padded * s.outputs, g * s.groups, s.outputs,
                             {&all_h, 1}, h_at(s, i * g), 0, forward_chain);
    const Product<T> from_gated =
        product_of(l.hh + Cell::first * s.padded * s.outputs, Cell::second * s.groups, s.units,
                   {&all_m, 1}, beside + Cell::first * s.padded, 0, forward_chain);
    const Product<T> from_m = product_of(l.hh + gates * s.padded * s.outputs, out.groups, s.units,
                                         {&all_m, 1}, 0, 0, forward_chain);

    load_rows(w, out, l.hidden0, a.h);
    if constexpr (Cell::has_cell) load_rows(w, u, l.cell0, a.c);
    for (Index begin = 0; begin < w.steps;) {
      const Index end = chunk_end(w, begin, l.chunk), base = offset(w, begin);
      T* start = l.gates ? l.gates + (w.base + base) * size : a.chunk;
      Index count = 0;
      for (Index step = begin; step < end; ++step)
        for (Index r = 0; r < active(w, step); ++r, ++count) {
          a.from[count] = l.x.data + w.row[r] * l.x.row + time_of(w, step, r) * l.x.time;
          a.rows[count] = start + count * size;
          a.biases[count] = small.bias;
        }
      multiply(from_x, a.from, a.rows, s.norm ? nullptr : a.biases, count);
      if (s.norm)
        for (Index i = 0; i < count; ++i)
          normalise_groups(u, 0, Cell::norm_groups, a.rows[i], a.rows[i] + stats);

      for (Index step = begin; step < end; ++step) {
        const Index rows = active(w, step), at = offset(w, step);
        T* const* sums = a.rows + (at - base);
        clear_rows(w, step, out, u, a);
        for (Index r = 0; r < rows; ++r) a.left[r] = seen + r * out.padded;
        for (Index i = 0; i < parts(s); ++i) {
          if (o.state_mask) mask_rows(w, out, o.state_mask, masks(s), i, rows, a.h, a.masked);
          const bool alone = s.norm || is_apart(i);
          multiply(from_h[i], a.left, sums, alone ? nullptr : sums, rows);
        }
        if (s.norm)
          for (Index r = 0; r < rows; ++r)
            normalise_groups(u, 0, Cell::first_norms, sums[r] + beside, sums[r] + stats + 2);
        const auto row_of = [&](Index r) {
          return StagedRow<T>{u,
                              o,
                              small,
                              sums[r],
                              s.norm ? sums[r] + beside : nullptr,
                              a.h + r * out.padded,
                              Cell::has_cell ? a.c + r * u.padded : nullptr,
                              at_step(o.candidate_mask, w, step, r, s.units),
                              at_step(o.cell_mask, w, step, r, s.units),
                              a.work};
        };
        if constexpr (Cell::second > 0) {
          if (s.gate_masks && o.state_mask)
            mask_rows(w, out, o.state_mask, gates, Cell::first, rows, a.h, a.masked);
          for (Index r = 0; r < rows; ++r) {
            Cell::reset(row_of(r), seen + r * out.padded, a.gated + r * u.padded);
            a.left[r] = a.gated + r * u.padded;
          }
          multiply(from_gated, a.left, sums, s.norm ? nullptr : sums, rows);
          if (s.norm)
            for (Index r = 0; r < rows; ++r)
              normalise_groups(u, Cell::first_norms, Cell::norm_groups, sums[r] + beside,
                               sums[r] + stats + 2);
        }
        for (Index r = 0; r < rows; ++r) {
          T* c = Cell::has_cell ? a.c + r * u.padded : nullptr;
          T* kept = Cell::has_cell && l.cells ? l.cells + (w.base + at + r) * u.padded : nullptr;
          Cell::forward(row_of(r), c, kept, a.m + r * u.padded);
        }
        if (projects(s)) {
          for (Index r = 0; r < rows; ++r) {
            a.left[r] = a.m + r * u.padded;
            a.to[r] = a.low + r * out.padded;
          }
          multiply(from_m, a.left, a.to, nullptr, rows);
        }
        for (Index r = 0; r < rows; ++r) {
          T* shown = call.output.data + w.row[r] * call.output.row +
                     time_of(w, step, r) * call.output.time;
          const T* zoneout = at_step(o.hidden_mask, w, step, r, s.outputs);
          for (Index g = 0; g < out.groups; ++g) {
            const Index i = r * out.padded + g * W;
            const Zone<T> zone = hidden_zone(o, out.get_or(zoneout, g, o.keep_hidden));
            const Vec<T> h = zone.mix(load<T>(a.h + i), load<T>(a.low + i));
            store<T>(a.h + i, h);
            out.put(shown, g, h);
          }
        }
      }
      begin = end;
    }
    for (Index r = 0; r < n; ++r)
      if (cleared(w, r)) {
        zero(a.h + r * out.padded, out.padded);
        if constexpr (Cell::has_cell) zero(a.c + r * u.padded, u.padded);
      }
    store_rows(w, out, a.h, call.hidden);
    if constexpr (Cell::has_cell) store_rows(w, u, a.c, call.cell);
  }

  // Zero the states of the rows that begin a segment at this step.
  static void clear_rows(const Walk& w, Index step, const Units<T>& out, const Units<T>& u,
                         const Ahead& a) {
    if (!w.reset) return;
    for (Index r = 0; r < active(w, step); ++r)
      if (resets(w, step, r)) {
        zero(a.h + r * out.padded, out.padded);
        if constexpr (Cell::has_cell) zero(a.c + r * u.padded, u.padded);
      }
  }
  // The state through mask number `which` of so many.
  static void mask_rows(const Walk& w, const Units<T>& out, const T* mask, Index count, Index which,
                        Index rows, const T* h, T* to) {
    for (Index r = 0; r < rows; ++r)
      for (Index g = 0; g < out.groups; ++g) {
        const Index at = r * out.padded + g * W;
        const T* own = mask + (w.row[r] * count + which) * out.units;
        store<T>(to + at, load<T>(h + at) * out.get(own, g));
      }
  }

  // ------------------------------------------------------------------ backward

  // Gradients of a position's sums, laid like the sums. In chunks beside them: the state as the
  // product saw it, the reset state, what was projected, and the gradient of the projected.
  struct Back {
    T *dh, *dc, *dm, *extra, *d, *inputs, *seen, *gated, *m, *low;
    T *work, *h_old, *c_old, *d_apart, *reset;
    const T** left;
    T **to, **dx;
  };
  static Back lay_back(Arena& arena, const Layer<T>& l, Index n) {
    const Shape& s = *l.shape;
    const Index room = n > l.chunk ? n : l.chunk, out = whole(s.outputs), units = s.padded;
    Back b;
    b.dh = arena.take<T>(n * out);
    b.dc = arena.take<T>(Cell::has_cell ? n * units : 0);
    b.dm = arena.take<T>(n * units);
    b.extra = arena.take<T>(n * (out > units ? out : units));
    b.d = arena.take<T>(room * d_size(s));
    b.inputs = arena.take<T>(room * s.inputs);
    b.seen = arena.take<T>(room * masks(s) * out);
    b.gated = arena.take<T>(Cell::second ? room * units : 0);
    b.m = arena.take<T>(projects(s) ? room * units : 0);
    b.low = arena.take<T>(projects(s) ? room * out : 0);
    b.work = arena.take<T>(Cell::work_rows * units);
    b.h_old = arena.take<T>(out);
    b.c_old = arena.take<T>(units);
    b.d_apart = arena.take<T>(units);
    b.reset = arena.take<T>(Cell::second ? n * 2 * units : 0);
    b.left = arena.take<const T*>(room);
    b.to = arena.take<T*>(n);
    b.dx = arena.take<T*>(room);
    return b;
  }
  static Index d_size(const Shape& s) {
    return (s.norm ? 2 * gates : gates + Cell::apart) * s.padded;
  }
  static Index backward_scratch(const Layer<T>* l) {
    Arena arena{nowhere()};
    lay_back(arena, *l, most_rows(*l));
    return elements(arena);
  }

  struct Call {  // what stays the same through one walk back
    const Backward<T>& call;
    const Layer<T>& l;
    const Shape& s;
    const Options<T>& o;
    const Walk& w;
    Units<T> u, out;
    Small<T> small;
    SmallGradients<T> to;
    Places places;
    T* mine;
    Back b;
  };

  static void backward(const Backward<T>* pointer, int team) {
    const Backward<T>& call = *pointer;
    const Layer<T>& l = call.layer;
    const Shape& s = *l.shape;
    const Walk& w = l.walks[team];
    Arena arena{reinterpret_cast<char*>(l.scratch + team * l.scratch_stride)};
    const Places places = places_of(s);
    T* mine = call.gradients + team * s.gradient;
    const SmallGradients<T> to{mine + places.bias,   mine + places.bias_apart,
                               mine + places.gain_x, mine + places.gain_h,
                               mine + places.gain_c, mine + places.bias_c,
                               mine + places.peephole};
    const Call k{call,        l,
                 s,           *l.options,
                 w,           Units<T>(s.units),
                 Units<T>(s.outputs), small_of(l),
                 to,          places,
                 mine,        lay_back(arena, l, w.rows)};
    if (!call.go_on) zero(mine, s.gradient);
    load_rows(w, k.out, call.d_hidden, k.b.dh);
    if constexpr (Cell::has_cell) load_rows(w, k.u, call.d_cell, k.b.dc);
    for (Index r = 0; r < w.rows; ++r)
      if (cleared(w, r)) forget(k, r);

    const Index h = h_at(s);
    const T* second = l.hh_back + Cell::first * s.units * k.out.padded;
    Run x_runs[gates], h_runs[gates], gated_runs[gates];
    const Run low_run{0, s.outputs};
    Product<T> to_h[Cell::first];
    for (Index i = 0, g = part_gates(s); i < parts(s); ++i)
      to_h[i] = product_of(l.hh_back + i * g * s.units * k.out.padded, k.out.groups, g * s.units,
                           runs_of(s, h_at(s, i * g), 0, g, h_runs + i * g), 0);
    const Product<T> to_gated =
        product_of(second, s.groups, Cell::second * s.units,
                   runs_of(s, h, Cell::first, Cell::second, gated_runs), 0);
    const Product<T> to_m = product_of(l.hh_back + gates * s.units * k.out.padded, s.groups,
                                       s.outputs, {&low_run, 1}, 0);
    const Product<T> to_x = product_of(l.ih_back, (s.inputs + W - 1) / W, gates * s.units,
                                       runs_of(s, 0, 0, gates, x_runs), 0, s.inputs);
    for (Index end = w.steps; end > 0;) {
      const Index begin = chunk_begin(w, end, l.chunk), first = offset(w, begin);
      for (Index step = end; step-- > begin;) {
        step_backward(k, step, offset(w, step) - first, to_m, to_gated, to_h);
        for (Index r = 0; r < active(w, step); ++r)
          if (resets(w, step, r)) forget(k, r);
      }
      const Index count = offset(w, end) - first;
      gather(k, begin, end);
      to_weights(k, count);
      if (call.d_x.data) {
        for (Index i = 0; i < count; ++i) k.b.left[i] = k.b.d + i * d_size(s);
        multiply<true>(to_x, k.b.left, k.b.dx, call.add_to_d_x ? k.b.dx : nullptr, count);
      }
      end = begin;
    }
    store_rows(w, k.out, k.b.dh, call.d_hidden0);
    if constexpr (Cell::has_cell) store_rows(w, k.u, k.b.dc, call.d_cell0);
  }

  // The state before here was cleared: nothing flows further back.
  static void forget(const Call& k, Index r) {
    zero(k.b.dh + r * k.out.padded, k.out.padded);
    if constexpr (Cell::has_cell) zero(k.b.dc + r * k.u.padded, k.u.padded);
  }

  // Copies the states before step (s, r), into h_old and c_old, with zeros behind the units.
  static void states_before(const Call& k, Index step, Index r) {
    const Index row = k.w.row[r];
    const T *h = nullptr, *c = nullptr;
    bool whole_c = false;
    if (!resets(k.w, step, r)) {
      if (step == 0) {
        h = k.l.hidden0 ? k.l.hidden0 + row * k.s.outputs : nullptr;
        c = k.l.cell0 ? k.l.cell0 + row * k.s.units : nullptr;
      } else {
        const Sequence<const T>& y = k.call.output;
        h = y.data + row * y.row + time_of(k.w, step - 1, r) * y.time;
        if constexpr (Cell::has_cell)
          c = k.l.cells + (k.w.base + offset(k.w, step - 1) + r) * k.u.padded;
        whole_c = true;
      }
    }
    for (Index g = 0; g < k.out.groups; ++g)
      store<T>(k.b.h_old + g * W, h ? k.out.get(h, g) : Vec<T>{});
    if constexpr (Cell::has_cell)
      for (Index g = 0; g < k.u.groups; ++g)
        store<T>(k.b.c_old + g * W,
                 !c ? Vec<T>{} : whole_c ? load<T>(c + g * W) : k.u.get(c, g));
  }

  // The gradient of the state before zoneout, in dm; what zoneout kept of it stays in dh.
  static void through_zoneout(const Call& k, Index step, Index at, const Product<T>& to_m) {
    const Index rows = active(k.w, step);
    const Sequence<const T>& d_y = k.call.d_output;
    for (Index r = 0; r < rows; ++r) {
      T *dh = k.b.dh + r * k.out.padded, *low = k.b.dm + r * k.u.padded;
      if (projects(k.s)) low = k.b.low + (at + r) * k.out.padded;
      const T* dy =
          d_y.data ? d_y.data + k.w.row[r] * d_y.row + time_of(k.w, step, r) * d_y.time : nullptr;
      const T* zoneout = at_step(k.o.hidden_mask, k.w, step, r, k.s.outputs);
      for (Index g = 0; g < k.out.groups; ++g) {
        const Vec<T> d = load<T>(dh + g * W) + k.out.get_or(dy, g, T(0));
        const Zone<T> zone = hidden_zone(k.o, k.out.get_or(zoneout, g, k.o.keep_hidden));
        store<T>(low + g * W, zone.to_fresh(d));
        store<T>(dh + g * W, zone.to_old(d));
      }
      k.b.left[r] = low;
      k.b.to[r] = k.b.dm + r * k.u.padded;
    }
    if (projects(k.s)) multiply(to_m, k.b.left, k.b.to, nullptr, rows);
  }

  static void step_backward(const Call& k, Index step, Index at, const Product<T>& to_m,
                            const Product<T>& to_gated, const Product<T>* to_h) {
    const Index rows = active(k.w, step), size = d_size(k.s), n = k.u.padded;
    const Index count = masks(k.s), last = count - 1;
    const T* mask = k.o.state_mask;
    through_zoneout(k, step, at, to_m);
    for (Index r = 0; r < rows; ++r) row_backward(k, step, at + r, r);
    if constexpr (Cell::second > 0) {
      for (Index r = 0; r < rows; ++r) {
        k.b.left[r] = k.b.d + (at + r) * size;
        k.b.to[r] = k.b.extra + r * n;
      }
      multiply(to_gated, k.b.left, k.b.to, nullptr, rows);
      for (Index r = 0; r < rows; ++r) {
        // The gradient of the reset gate's sum, and of the state that it let through.
        T *d = k.b.d + (at + r) * size, *extra = k.b.extra + r * n, *dh = k.b.dh + r * n;
        const T *reset = k.b.reset + 2 * r * n, *seen = k.b.seen + ((at + r) * count + last) * n;
        for (Index g = 0, i = 0; g < k.u.groups; ++g, i += W) {
          const Vec<T> gated = load<T>(extra + i);
          store<T>(d + i, gated * load<T>(seen + i) * load<T>(reset + n + i));
          Vec<T> open = gated * load<T>(reset + i);
          if (mask) open = open * k.u.get(mask + (k.w.row[r] * count + last) * k.s.units, g);
          store<T>(dh + i, load<T>(dh + i) + open);
        }
        finish(k, step, at + r, r, 0, Cell::first_norms);
      }
    }
    for (Index r = 0; r < rows; ++r) {
      k.b.left[r] = k.b.d + (at + r) * size;
      k.b.to[r] = (mask ? k.b.extra : k.b.dh) + r * k.out.padded;
    }
    for (Index part = 0; part < parts(k.s); ++part) {
      multiply(to_h[part], k.b.left, k.b.to, mask ? nullptr : k.b.to, rows);
      if (!mask) continue;
      for (Index r = 0; r < rows; ++r)
        for (Index g = 0; g < k.out.groups; ++g) {
          const Index i = r * k.out.padded + g * W;
          const T* own = mask + (k.w.row[r] * count + part) * k.s.outputs;
          store<T>(k.b.dh + i,
                   fma(k.out.get(own, g), load<T>(k.b.extra + i), load<T>(k.b.dh + i)));
        }
    }
  }

  static void row_backward(const Call& k, Index step, Index at, Index r) {
    const Index n = k.u.padded, position = k.w.base + offset(k.w, step) + r;
    const T* sums = k.l.gates + position * row_size(k.s);
    states_before(k, step, r);
    const Index count = masks(k.s), whole_row = k.out.padded;
    T* seen = k.b.seen + at * count * whole_row;
    for (Index i = 0; i < count; ++i) {
      const Index which = k.w.row[r] * count + i;
      const T* mask = k.o.state_mask ? k.o.state_mask + which * k.s.outputs : nullptr;
      for (Index g = 0; g < k.out.groups; ++g)
        store<T>(seen + i * whole_row + g * W,
                 load<T>(k.b.h_old + g * W) * k.out.get_or(mask, g, T(1)));
    }
    const StagedRow<T> row{k.u,
                           k.o,
                           k.small,
                           sums,
                           k.s.norm ? sums + h_at(k.s) : nullptr,
                           k.b.h_old,
                           k.b.c_old,
                           at_step(k.o.candidate_mask, k.w, step, r, k.s.units),
                           at_step(k.o.cell_mask, k.w, step, r, k.s.units),
                           k.b.work};
    T* carried = Cell::has_cell ? k.b.dc + r * n : k.b.dh + r * n;
    T* reset = k.b.reset + (Cell::second ? 2 * r * n : 0);
    Cell::backward(row, k.b.dm + r * n, carried, projects(k.s) ? k.b.m + at * n : nullptr,
                   k.b.d + at * d_size(k.s), k.b.d_apart, reset, k.to);
    if constexpr (Cell::second > 0)
      for (Index i = 0; i < n; i += W)
        store<T>(k.b.gated + at * n + i,
                 load<T>(reset + i) * load<T>(seen + (count - 1) * n + i));
    // What waits for the second product's gradient is finished behind it.
    finish(k, step, at, r, Cell::second ? Cell::first_norms : 0, Cell::norm_groups);
  }

  // From the gradients of the sums those of biases and gains and, through the norms, of the
  // products: of the norm groups begin ... end - 1.
  static void finish(const Call& k, Index step, Index at, Index r, int begin, int end) {
    const Index n = k.u.padded, position = k.w.base + offset(k.w, step) + r;
    const T* sums = k.l.gates + position * row_size(k.s);
    const T* factor = sums + 2 * gates * n;
    T* d = k.b.d + at * d_size(k.s);
    Index gate = 0;
    for (int i = 0; i < end; gate += Cell::norm_gates[i++]) {
      if (i < begin) continue;
      const int count = Cell::norm_gates[i];
      const Index from = gate * n;
      const T* d_h = Cell::apart && i + 1 == Cell::norm_groups ? k.b.d_apart : d + from;
      if (Cell::apart && d_h == k.b.d_apart) add_row(n, d_h, k.to.bias_apart);
      if (k.s.norm) {
        const Index h = gates * n + from;
        normalise_back<T>(k.u, count, d_h, sums + h, k.small.gain_h + from, factor[2 + i], d + h,
                          k.to.gain_h + from, nullptr);
        normalise_back<T>(k.u, count, d + from, sums + from, k.small.gain_x + from, factor[i],
                          d + from, k.to.gain_x + from, k.to.bias + from);
      } else {
        add_row(count * n, d + from, k.to.bias + from);
        if (Cell::apart && d_h == k.b.d_apart)
          for (Index j = 0; j < n; j += W) store<T>(d + gates * n + j, load<T>(d_h + j));
      }
    }
  }
  RELEMBRA_INLINE static void add_row(Index n, const T* x, T* to) {
    for (Index i = 0; i < n; i += W) store<T>(to + i, load<T>(to + i) + load<T>(x + i));
  }

  // The rows of the input, and where their gradients go.
  static void gather(const Call& k, Index begin, Index end) {
    const Sequence<T>& dx = k.call.d_x;
    Index i = 0;
    for (Index step = begin; step < end; ++step)
      for (Index r = 0; r < active(k.w, step); ++r, ++i) {
        const Index row = k.w.row[r], t = time_of(k.w, step, r);
        const T* x = k.l.x.data + row * k.l.x.row + t * k.l.x.time;
        for (Index j = 0; j < k.s.inputs; ++j) k.b.inputs[i * k.s.inputs + j] = x[j];
        if (dx.data) k.b.dx[i] = dx.data + row * dx.row + t * dx.time;
      }
  }

  // to (rows, vectors * W) += A^T B, where a row of `to` may go on to `stride` vectors
  static void add_outer(const T* a, Index lda, Index rows, const T* b, Index ldb, Index first,
                        Index vectors, Index count, T* to, Index stride = 0) {
    outer_product<T, panel>(a, lda, rows, b, ldb, first, panel * W, count, to,
                            (stride ? stride : vectors) * W, vectors, 0,
                            panel_count<panel>(vectors));
  }
  static void to_weights(const Call& k, Index count) {
    const Shape& s = k.s;
    const Back& b = k.b;
    const Index h = h_at(s), size = d_size(s), n = s.padded;
    add_outer(b.inputs, s.inputs, s.inputs, b.d, size, 0, gates * s.groups, count,
              k.mine + k.places.ih);
    for (Index i = 0, g = part_gates(s); i < parts(s); ++i)
      add_outer(b.seen + i * k.out.padded, masks(s) * k.out.padded, s.outputs, b.d, size,
                h_at(s, i * g), g * s.groups, count, k.mine + k.places.hh + i * g * n,
                Cell::first * s.groups);
    if constexpr (Cell::second > 0)
      add_outer(b.gated, n, s.units, b.d, size, h + Cell::first * n, Cell::second * s.groups,
                count, k.mine + k.places.second);
    if (projects(s))
      add_outer(b.low, k.out.padded, s.outputs, b.m, n, 0, s.groups, count,
                k.mine + k.places.hr);
  }

  // ------------------------------------------------------------------ gradients of the weights

  // Add up the teams' parts, in their order, and put them into PyTorch's layout.
  static void collect(const Backward<T>* call, int share, int shares) {
    const Shape& s = *call->layer.shape;
    const Places p = places_of(s);
    const WeightGradients<T>& to = call->weights;
    const Units<T> u(s.units);
    transpose(*call, u, p.ih, s.inputs, gates, to.ih, share, shares);
    transpose(*call, u, p.hh, s.outputs, Cell::first, to.hh, share, shares);
    if constexpr (Cell::second > 0)
      transpose(*call, u, p.second, s.units, Cell::second,
                to.hh + Cell::first * s.units * s.outputs, share, shares);
    if (share) return;
    if (projects(s)) add_up(*call, u, p.hr, s.outputs, to.hr);
    add_up(*call, u, p.bias, gates, to.bias_ih);
    add_up(*call, u, p.bias, gates - Cell::apart, to.bias_hh);
    if (Cell::apart && to.bias_hh)
      add_up(*call, u, p.bias_apart, 1, to.bias_hh + (gates - 1) * s.units);
    if (s.norm) {
      add_up(*call, u, p.gain_x, gates, to.gain_ih);
      add_up(*call, u, p.gain_h, gates, to.gain_hh);
    }
    add_up(*call, u, p.gain_c, 1, to.gain_c);
    add_up(*call, u, p.bias_c, 1, to.bias_c);
    if constexpr (Cell::has_cell) add_up(*call, u, p.peephole, gates - 1, to.peephole);
  }

  static Vec<T> total(const Backward<T>& call, Index at) {
    Vec<T> sum = load<T>(call.gradients + at);
    for (int team = 1; team < call.layer.teams; ++team)
      sum = sum + load<T>(call.gradients + team * call.layer.shape->gradient + at);
    return sum;
  }
  // (rows, padded) to (rows, units)
  static void add_up(const Backward<T>& call, const Units<T>& u, Index from, Index rows, T* to) {
    for (Index row = 0; to && row < rows; ++row)
      for (Index g = 0; g < u.groups; ++g)
        u.put(to + row * u.units, g, total(call, from + row * u.padded + g * W));
  }
  // (columns, count, padded) to (count, units, columns)
  static void transpose(const Backward<T>& call, const Units<T>& u, Index from, Index columns,
                        Index count, T* to, int share, int shares) {
    const Range own = part(count * u.groups, share, shares);
    for (Index i = own.begin; i < own.end; ++i) {
      const Index q = i / u.groups, g = i % u.groups;
      const Index lanes = g < u.full ? W : u.lanes;
      T* rows = to + (q * u.units + g * W) * columns;
      for (Index c = 0; c < columns; ++c) {
        T values[W];
        store<T>(values, total(call, from + c * count * u.padded + q * u.padded + g * W));
        for (Index lane = 0; lane < lanes; ++lane) rows[lane * columns + c] = values[lane];
      }
    }
  }
};

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
