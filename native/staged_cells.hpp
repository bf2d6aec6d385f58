// The cells whose step has several stages, as passes over a row of units.
//
// `first` gates come from the product with the state, `second` more from a product with the reset
// state. Each element of `norm_gates` is the number of gates that one layer normalisation takes
// together. `apart`: the last gate's parts from input and state meet only behind the reset gate.
#pragma once

#include "general_cells.hpp"
#include "rows.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

// Parameters that are one for each unit, gate after gate; of the norms null without them.
template <class T> struct Small {
  const T *bias, *bias_apart, *gain_x, *gain_h, *gain_c, *bias_c, *peephole;
};
template <class T> struct SmallGradients {
  T *bias, *bias_apart, *gain_x, *gain_h, *gain_c, *bias_c, *peephole;
};

// One row at one step.
template <class T> struct StagedRow {
  const Units<T>& u;
  const Options<T>& options;
  const Small<T>& small;
  const T *x_part, *h_part;  // normalised products; without norms h_part is null, x_part the sums
  const T *h_old, *c_old;    // padded
  const T* kept;             // (H) factors of the candidate, or null
  const T* keep_cell;        // (H) zoneout, or null: as the options say
  T* work;                   // work_rows rows
};

// The sums of gates q ... q + count - 1, before the activation.
template <class T>
RELEMBRA_INLINE void combine(const StagedRow<T>& p, int q, int count, T* to) {
  const Index begin = q * p.u.padded, end = (q + count) * p.u.padded;
  if (p.h_part) {
    for (Index i = begin; i < end; i += width<T>) {
      const Vec<T> x = fma(load<T>(p.small.gain_x + i), load<T>(p.x_part + i),
                           load<T>(p.small.bias + i));
      store<T>(to + i - begin, fma(load<T>(p.small.gain_h + i), load<T>(p.h_part + i), x));
    }
  } else {
    for (Index i = begin; i < end; i += width<T>) store<T>(to + i - begin, load<T>(p.x_part + i));
  }
}

// sum += weight * x
template <class T>
RELEMBRA_INLINE void add_product(const Units<T>& u, T* sum, const T* weight, const T* x) {
  for (Index i = 0; i < u.padded; i += width<T>)
    store<T>(sum + i, fma(load<T>(weight + i), load<T>(x + i), load<T>(sum + i)));
}

template <class T> struct StagedRnn {
  static constexpr int gates = 1, first = 1, second = 0, work_rows = 2;
  static constexpr int norm_groups = 1, first_norms = 1, norm_gates[] = {1};
  static constexpr bool apart = false, has_cell = false, has_direct = false;

  RELEMBRA_INLINE static void evaluate(const StagedRow<T>& p, T* shown) {
    combine<T>(p, 0, 1, p.work);
    activate<T>(p.options.candidate, p.work, shown, p.u.padded);
  }
  static void forward(const StagedRow<T>& p, T*, T*, T* m) { evaluate(p, m); }
  static void backward(const StagedRow<T>& p, const T* dm, T*, T*, T* d, T*, T*,
                       const SmallGradients<T>&) {
    T* shown = p.work + p.u.padded;
    evaluate(p, shown);
    for (Index i = 0; i < p.u.padded; i += width<T>) store<T>(d + i, load<T>(dm + i));
    slopes<T>(p.options.candidate, p.work, shown, d, p.u.padded);
  }
};

template <class T, bool Coupled> struct StagedLstm {
  static constexpr int gates = Coupled ? 3 : 4, first = gates, second = 0;
  static constexpr int work_rows = 2 * gates + 5;
  static constexpr int norm_groups = 1, first_norms = 1, norm_gates[] = {gates};
  static constexpr bool apart = false, has_cell = true, has_direct = false;
  static constexpr int early = gates - 2;  // gates before the candidate: i, or i and f
  static constexpr int g_gate = gates - 2, o_gate = gates - 1;

  struct Values {
    T *sums, *acts, *c, *hat, *seen, *shown, *spare;
    T scale;
  };
  RELEMBRA_INLINE static Values evaluate(const StagedRow<T>& p) {
    const Index n = p.u.padded;
    const T* peephole = p.small.peephole;
    Values v;
    v.sums = p.work;
    v.acts = v.sums + gates * n;
    v.c = v.acts + gates * n;
    v.hat = v.c + n;
    v.seen = v.hat + n;
    v.shown = v.seen + n;
    v.spare = v.shown + n;
    v.scale = T(1);
    combine<T>(p, 0, gates, v.sums);
    if (peephole)
      for (int q = 0; q < early; ++q) add_product<T>(p.u, v.sums + q * n, peephole + q * n, p.c_old);
    activate<T>(p.options.gate, v.sums, v.acts, early * n);
    activate<T>(p.options.candidate, v.sums + g_gate * n, v.acts + g_gate * n, n);
    for (Index g = 0, i = 0; g < p.u.groups; ++g, i += width<T>) {
      const Vec<T> in = load<T>(v.acts + i), kept = p.u.get_or(p.kept, g, T(1));
      const Vec<T> forget = Coupled ? T(1) - in : load<T>(v.acts + n + i);
      store<T>(v.c + i, fma(forget, load<T>(p.c_old + i),
                            in * (load<T>(v.acts + g_gate * n + i) * kept)));
    }
    if (peephole) add_product<T>(p.u, v.sums + o_gate * n, peephole + early * n, v.c);
    activate<T>(p.options.gate, v.sums + o_gate * n, v.acts + o_gate * n, n);
    if (p.h_part) {
      v.scale = normalise<T>(p.u, 1, v.c, v.hat);
      for (Index i = 0; i < n; i += width<T>)
        store<T>(v.seen + i, fma(load<T>(p.small.gain_c + i), load<T>(v.hat + i),
                                 load<T>(p.small.bias_c + i)));
    } else {
      v.seen = v.c;
    }
    activate<T>(p.options.state, v.seen, v.shown, n);
    return v;
  }

  // Updates c, keeps it, and gives the new state before projection and zoneout.
  static void forward(const StagedRow<T>& p, T* c, T* c_saved, T* m) {
    const Values v = evaluate(p);
    const T* out = v.acts + o_gate * p.u.padded;
    for (Index g = 0, i = 0; g < p.u.groups; ++g, i += width<T>) {
      store<T>(m + i, load<T>(out + i) * load<T>(v.shown + i));
      const Zone<T> zone = cell_zone(p.options, p.u.get_or(p.keep_cell, g, p.options.keep_cell));
      const Vec<T> now = zone.mix(load<T>(p.c_old + i), load<T>(v.c + i));
      store<T>(c + i, now);
      if (c_saved) store<T>(c_saved + i, now);
    }
  }

  static void backward(const StagedRow<T>& p, const T* dm, T* dc, T* m, T* d, T*, T*,
                       const SmallGradients<T>& to) {
    const Index n = p.u.padded;
    const Values v = evaluate(p);
    const T *out = v.acts + o_gate * n, *peephole = p.small.peephole;
    T *d_out = d + o_gate * n, *d_seen = v.spare;
    for (Index i = 0; i < n; i += width<T>) {
      const Vec<T> o = load<T>(out + i), shown = load<T>(v.shown + i), dh = load<T>(dm + i);
      if (m) store<T>(m + i, o * shown);
      store<T>(d_out + i, dh * shown);
      store<T>(d_seen + i, dh * o);
    }
    slopes<T>(p.options.gate, v.sums + o_gate * n, out, d_out, n);
    slopes<T>(p.options.state, v.seen, v.shown, d_seen, n);
    if (p.h_part)
      normalise_back<T>(p.u, 1, d_seen, v.hat, p.small.gain_c, v.scale, d_seen, to.gain_c,
                        to.bias_c);
    if (peephole) add_product<T>(p.u, d_seen, peephole + early * n, d_out);
    for (Index g = 0, i = 0; g < p.u.groups; ++g, i += width<T>) {
      const Zone<T> zone = cell_zone(p.options, p.u.get_or(p.keep_cell, g, p.options.keep_cell));
      const Vec<T> kept = p.u.get_or(p.kept, g, T(1));
      const Vec<T> after = load<T>(dc + i);
      const Vec<T> fresh = zone.to_fresh(after) + load<T>(d_seen + i);
      const Vec<T> in = load<T>(v.acts + i), candidate = load<T>(v.acts + g_gate * n + i);
      const Vec<T> d_forget = fresh * load<T>(p.c_old + i);
      Vec<T> d_in = fresh * (candidate * kept), forget;
      if constexpr (Coupled) {
        forget = T(1) - in;
        d_in = d_in - d_forget;
      } else {
        forget = load<T>(v.acts + n + i);
        store<T>(d + n + i, d_forget);
      }
      store<T>(d + i, d_in);
      store<T>(d + g_gate * n + i, fresh * in * kept);
      store<T>(dc + i, fma(fresh, forget, zone.to_old(after)));
    }
    slopes<T>(p.options.gate, v.sums, v.acts, d, early * n);
    slopes<T>(p.options.candidate, v.sums + g_gate * n, v.acts + g_gate * n, d + g_gate * n, n);
    if (peephole) {
      for (int q = 0; q < early; ++q) {
        add_product<T>(p.u, dc, peephole + q * n, d + q * n);
        add_product<T>(p.u, to.peephole + q * n, p.c_old, d + q * n);
      }
      add_product<T>(p.u, to.peephole + early * n, v.c, d_out);
    }
  }
};

// With layer normalisation or masks for each gate; else the reset gate after the product needs no
// stages.
template <class T> struct StagedGru {
  static constexpr int gates = 3, first = 3, second = 0, work_rows = 7;
  static constexpr int norm_groups = 2, first_norms = 2, norm_gates[] = {2, 1};
  static constexpr bool apart = true, has_cell = false, has_direct = true;

  struct Values {
    T *sums, *acts, *part;  // r z n each; what the state gives to the candidate
  };
  RELEMBRA_INLINE static Values evaluate(const StagedRow<T>& p) {
    const Index n = p.u.padded;
    const Values v{p.work, p.work + 3 * n, p.work + 6 * n};
    combine<T>(p, 0, 2, v.sums);
    activate<T>(p.options.gate, v.sums, v.acts, 2 * n);
    for (Index i = 0; i < n; i += width<T>) {
      const Index at = 2 * n + i;
      const Vec<T> apart = load<T>(p.small.bias_apart + i);
      Vec<T> x = load<T>(p.x_part + at), part;
      if (p.h_part) {
        part = fma(load<T>(p.small.gain_h + at), load<T>(p.h_part + at), apart);
        x = fma(load<T>(p.small.gain_x + at), x, load<T>(p.small.bias + at));
      } else {
        part = load<T>(p.x_part + 3 * n + i) + apart;
      }
      store<T>(v.part + i, part);
      store<T>(v.sums + at, fma(load<T>(v.acts + i), part, x));
    }
    activate<T>(p.options.candidate, v.sums + 2 * n, v.acts + 2 * n, n);
    return v;
  }
  // (1 - z) n + z h'
  RELEMBRA_INLINE static void mix(const StagedRow<T>& p, const T* z, const T* candidate, T* m) {
    for (Index g = 0, i = 0; g < p.u.groups; ++g, i += width<T>) {
      const Vec<T> update = load<T>(z + i), kept = p.u.get_or(p.kept, g, T(1));
      store<T>(m + i, (T(1) - update) * (load<T>(candidate + i) * kept) +
                          update * load<T>(p.h_old + i));
    }
  }
  // Gradients of z and the candidate, before their slopes, and of the old state.
  RELEMBRA_INLINE static void unmix(const StagedRow<T>& p, const T* z, const T* candidate,
                                    const T* dm, T* dh, T* d_z, T* d_n) {
    for (Index g = 0, i = 0; g < p.u.groups; ++g, i += width<T>) {
      const Vec<T> update = load<T>(z + i), kept = p.u.get_or(p.kept, g, T(1));
      const Vec<T> d = load<T>(dm + i);
      store<T>(dh + i, fma(d, update, load<T>(dh + i)));
      store<T>(d_z + i, d * (load<T>(p.h_old + i) - load<T>(candidate + i) * kept));
      store<T>(d_n + i, d * (T(1) - update) * kept);
    }
  }

  static void forward(const StagedRow<T>& p, T*, T*, T* m) {
    const Values v = evaluate(p);
    mix(p, v.acts + p.u.padded, v.acts + 2 * p.u.padded, m);
  }
  static void backward(const StagedRow<T>& p, const T* dm, T* dh, T*, T* d, T* d_apart, T*,
                       const SmallGradients<T>&) {
    const Index n = p.u.padded;
    const Values v = evaluate(p);
    unmix(p, v.acts + n, v.acts + 2 * n, dm, dh, d + n, d + 2 * n);
    slopes<T>(p.options.candidate, v.sums + 2 * n, v.acts + 2 * n, d + 2 * n, n);
    for (Index i = 0; i < n; i += width<T>) {
      const Vec<T> dn = load<T>(d + 2 * n + i);
      store<T>(d + i, dn * load<T>(v.part + i));
      store<T>(d_apart + i, dn * load<T>(v.acts + i));
    }
    slopes<T>(p.options.gate, v.sums, v.acts, d, 2 * n);
  }
};

// The reset gate before the product (Cho et al. 2014).
template <class T> struct StagedGruBefore {
  static constexpr int gates = 3, first = 2, second = 1, work_rows = 6;
  static constexpr int norm_groups = 2, first_norms = 1, norm_gates[] = {2, 1};
  static constexpr bool apart = false, has_cell = false, has_direct = true;

  // The state that the second product sees.
  static void reset(const StagedRow<T>& p, const T* seen, T* gated) {
    combine<T>(p, 0, 1, p.work);
    activate<T>(p.options.gate, p.work, gated, p.u.padded);
    for (Index i = 0; i < p.u.padded; i += width<T>)
      store<T>(gated + i, load<T>(gated + i) * load<T>(seen + i));
  }
  static void forward(const StagedRow<T>& p, T*, T*, T* m) {
    const Index n = p.u.padded;
    T* acts = p.work + 2 * n;
    combine<T>(p, 1, 2, p.work);
    activate<T>(p.options.gate, p.work, acts, n);
    activate<T>(p.options.candidate, p.work + n, acts + n, n);
    StagedGru<T>::mix(p, acts, acts + n, m);
  }
  // All but the reset gate's gradient. `reset` gets that gate, and behind it its slope.
  static void backward(const StagedRow<T>& p, const T* dm, T* dh, T*, T* d, T*, T* reset,
                       const SmallGradients<T>&) {
    const Index n = p.u.padded;
    T *sums = p.work, *acts = p.work + 3 * n;
    combine<T>(p, 0, 3, sums);
    activate<T>(p.options.gate, sums, acts, 2 * n);
    activate<T>(p.options.candidate, sums + 2 * n, acts + 2 * n, n);
    StagedGru<T>::unmix(p, acts + n, acts + 2 * n, dm, dh, d + n, d + 2 * n);
    slopes<T>(p.options.gate, sums + n, acts + n, d + n, n);
    slopes<T>(p.options.candidate, sums + 2 * n, acts + 2 * n, d + 2 * n, n);
    for (Index i = 0; i < n; i += width<T>) {
      store<T>(reset + i, load<T>(acts + i));
      store<T>(reset + n + i, broadcast<T>(T(1)));
    }
    slopes<T>(p.options.gate, sums, acts, reset + n, n);
  }
};

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
