// The cells with all their elementwise options: activations, peepholes, coupled gates, zoneout and
// dropout of the candidate. For backward they keep the gates as `to_keep` says, and compute the rest
// again.
#pragma once

#include "activations.hpp"
#include "cells.hpp"

namespace relembra::RELEMBRA_ISA {
namespace {

// What zoneout keeps: the share of the old value that stays. `none` says, for the whole call, that
// there is no zoneout: then an old value that is infinite must not become NaN by 0 * inf.
template <class T> struct Zone {
  Vec<T> keep;
  bool none;

  // keep * old + (1 - keep) * fresh
  RELEMBRA_INLINE Vec<T> mix(Vec<T> old, Vec<T> fresh) const {
    return none ? fresh : keep * old + (T(1) - keep) * fresh;
  }
  // The parts of a gradient that go to the fresh value and, past the cell, to the old one.
  RELEMBRA_INLINE Vec<T> to_fresh(Vec<T> d) const { return d * (T(1) - keep); }
  RELEMBRA_INLINE Vec<T> to_old(Vec<T> d) const { return none ? Vec<T>{} : d * keep; }
};
template <class T> RELEMBRA_INLINE Zone<T> hidden_zone(const Options<T>& o, Vec<T> keep) {
  return {keep, !o.hidden_mask && o.keep_hidden == T(0)};
}
template <class T> RELEMBRA_INLINE Zone<T> cell_zone(const Options<T>& o, Vec<T> keep) {
  return {keep, !o.cell_mask && o.keep_cell == T(0)};
}

// Whether the derivative follows from the value alone; such activations are not computed again.
template <class T> RELEMBRA_INLINE bool known_by_value(const Activation<T>& f) {
  return f.kind == Function::tanh || f.kind == Function::logistic || f.kind == Function::relu ||
         f.kind == Function::identity;
}
// What to keep of an activation of x with the value y, and what becomes of it in backward: `slope_of`
// takes it in the place of x.
template <class T>
RELEMBRA_INLINE Vec<T> to_keep(const Activation<T>& f, Vec<T> x, Vec<T> y) {
  return known_by_value(f) ? y : x;
}
template <class T> RELEMBRA_INLINE Vec<T> value_kept(const Activation<T>& f, Vec<T> kept) {
  return known_by_value(f) ? kept : value_of<T>(f, kept);
}

template <class T> struct GeneralRnn {
  static constexpr int slots = 1, x_vectors = 1, h_vectors = 1, x_slot = 0, h_slot = 0;
  static constexpr int x_gate[] = {0}, h_gate[] = {0};
  static constexpr int gates = 1;
  static constexpr bool has_cell = false, has_direct = true, h_bias_apart = false;
  static constexpr bool needs_h_old = true, needs_h_new = false, saves_gates = true;
  static constexpr bool general = true, has_peepholes = false;

  template <bool Keep> RELEMBRA_INLINE static Vec<T> forward(const ForwardPoint<T>& p) {
    const Options<T>& o = *p.options;
    const Vec<T> h = value_of<T>(o.candidate, p.sum[0]);
    if constexpr (Keep) store<T>(p.gates, to_keep<T>(o.candidate, p.sum[0], h));
    return hidden_zone(o, p.keep_hidden).mix(load<T>(p.h_old), h);
  }
  RELEMBRA_INLINE static void backward(const BackwardPoint<T>& p) {
    const Options<T>& o = *p.options;
    const Zone<T> zone = hidden_zone(o, p.keep_hidden);
    const Vec<T> a = load<T>(p.gates), h = value_kept<T>(o.candidate, a);
    store<T>(p.dh_old, zone.to_old(p.dh));
    store<T>(p.d_gates, zone.to_fresh(p.dh) * slope_of<T>(o.candidate, a, h));
  }
  RELEMBRA_INLINE static void show(const BackwardPoint<T>& p, Vec<T>* to) {
    to[0] = value_kept<T>(p.options->candidate, load<T>(p.gates));
  }
};

// Coupled: the forget gate is one minus the input gate, and the gates are i g o.
template <class T, bool Coupled> struct GeneralLstm {
  static constexpr int slots = Coupled ? 3 : 4, x_vectors = slots, h_vectors = slots;
  static constexpr int x_slot = 0, h_slot = 0;
  static constexpr int x_gate[] = {0, 1, 2, 3}, h_gate[] = {0, 1, 2, 3};
  static constexpr int gates = slots;
  static constexpr bool has_cell = true, has_direct = true, h_bias_apart = false;
  static constexpr bool needs_h_old = true, needs_h_new = false, saves_gates = true;
  static constexpr bool general = true, has_peepholes = true;
  static constexpr int g_slot = Coupled ? 1 : 2, o_slot = Coupled ? 2 : 3;
  static constexpr int o_peephole = Coupled ? 1 : 2;

  template <bool Keep> RELEMBRA_INLINE static Vec<T> forward(const ForwardPoint<T>& p) {
    const Options<T>& options = *p.options;
    const Vec<T> c_old = load<T>(p.c);
    const auto seen = [&](Vec<T> sum, int peephole, Vec<T> cell) {
      return p.peephole ? fma(load<T>(p.peephole + peephole * p.stride), cell, sum) : sum;
    };
    const auto active = [&](const Activation<T>& f, Vec<T> sum, int slot) {
      const Vec<T> y = value_of<T>(f, sum);
      if constexpr (Keep) store<T>(p.gates + slot * width<T>, to_keep<T>(f, sum, y));
      return y;
    };
    const Vec<T> i = active(options.gate, seen(p.sum[0], 0, c_old), 0);
    Vec<T> f = T(1) - i;
    if constexpr (!Coupled) f = active(options.gate, seen(p.sum[1], 1, c_old), 1);
    const Vec<T> g = active(options.candidate, p.sum[g_slot], g_slot);
    const Vec<T> fresh = fma(f, c_old, i * (g * p.kept));
    const Vec<T> o = active(options.gate, seen(p.sum[o_slot], o_peephole, fresh), o_slot);
    const Vec<T> c = cell_zone(options, p.keep_cell).mix(c_old, fresh);
    store<T>(p.c, c);
    if constexpr (Keep) store<T>(p.c_saved, c);
    const Vec<T> h = o * value_of<T>(options.state, fresh);
    return hidden_zone(options, p.keep_hidden).mix(load<T>(p.h_old), h);
  }
  RELEMBRA_INLINE static void backward(const BackwardPoint<T>& p) {
    const Options<T>& options = *p.options;
    const Vec<T> i_kept = load<T>(p.gates), g_kept = load<T>(p.gates + g_slot * width<T>);
    const Vec<T> o_kept = load<T>(p.gates + o_slot * width<T>);
    const Vec<T> i = value_kept<T>(options.gate, i_kept), o = value_kept<T>(options.gate, o_kept);
    const Vec<T> g = value_kept<T>(options.candidate, g_kept);
    Vec<T> f_kept{}, f = T(1) - i;
    if constexpr (!Coupled) {
      f_kept = load<T>(p.gates + width<T>);
      f = value_kept<T>(options.gate, f_kept);
    }
    const Vec<T> c = fma(f, p.c_old, i * (g * p.kept)), shown = value_of<T>(options.state, c);
    const Zone<T> zone = hidden_zone(options, p.keep_hidden);
    const Zone<T> zone_of_cell = cell_zone(options, p.keep_cell);
    const Vec<T> dh = zone.to_fresh(p.dh);
    store<T>(p.dh_old, zone.to_old(p.dh));
    const Vec<T> dc_new = load<T>(p.dc);
    const Vec<T> d_o = dh * shown * slope_of<T>(options.gate, o_kept, o);
    Vec<T> dc = zone_of_cell.to_fresh(dc_new) + dh * o * slope_of<T>(options.state, c, shown);
    if (p.peephole) dc = fma(d_o, load<T>(p.peephole + o_peephole * p.stride), dc);
    const Vec<T> d_g = dc * i * p.kept * slope_of<T>(options.candidate, g_kept, g);
    Vec<T> di = dc * (g * p.kept);
    const Vec<T> df = dc * p.c_old;
    if constexpr (Coupled) di = di - df;
    const Vec<T> d_i = di * slope_of<T>(options.gate, i_kept, i);
    Vec<T> dc_old = fma(dc, f, zone_of_cell.to_old(dc_new));
    store<T>(p.d_gates, d_i);
    if constexpr (!Coupled) {
      const Vec<T> d_f = df * slope_of<T>(options.gate, f_kept, f);
      store<T>(p.d_gates + width<T>, d_f);
      if (p.peephole) {
        dc_old = fma(d_f, load<T>(p.peephole + p.stride), dc_old);
        add_to(p.d_peephole + p.stride, d_f * p.c_old);
      }
    }
    store<T>(p.d_gates + g_slot * width<T>, d_g);
    store<T>(p.d_gates + o_slot * width<T>, d_o);
    if (p.peephole) {
      dc_old = fma(d_i, load<T>(p.peephole), dc_old);
      add_to(p.d_peephole, d_i * p.c_old);
      add_to(p.d_peephole + o_peephole * p.stride, d_o * c);
    }
    store<T>(p.dc, dc_old);
  }
  RELEMBRA_INLINE static void show(const BackwardPoint<T>& p, Vec<T>* to) {
    for (int q = 0; q < slots; ++q)
      to[q] = value_kept<T>(q == g_slot ? p.options->candidate : p.options->gate,
                            load<T>(p.gates + q * width<T>));
  }
  RELEMBRA_INLINE static void add_to(T* p, Vec<T> x) { store<T>(p, load<T>(p) + x); }
};

template <class T> struct GeneralGru {
  static constexpr int slots = 4, x_vectors = 3, h_vectors = 3, x_slot = 0, h_slot = 1;
  static constexpr int x_gate[] = {2, 0, 1}, h_gate[] = {0, 1, 2};
  static constexpr int gates = 3;
  static constexpr bool has_cell = false, has_direct = true, h_bias_apart = true;
  static constexpr bool needs_h_old = true, needs_h_new = false, saves_gates = true;
  static constexpr bool general = true, has_peepholes = false;

  template <bool Keep> RELEMBRA_INLINE static Vec<T> forward(const ForwardPoint<T>& p) {
    const Options<T>& o = *p.options;
    const Vec<T> r = value_of<T>(o.gate, p.sum[1]), z = value_of<T>(o.gate, p.sum[2]);
    const Vec<T> n_sum = fma(r, p.sum[3], p.sum[0]), n = value_of<T>(o.candidate, n_sum);
    if constexpr (Keep) {
      store<T>(p.gates, to_keep<T>(o.candidate, n_sum, n));
      store<T>(p.gates + width<T>, to_keep<T>(o.gate, p.sum[1], r));
      store<T>(p.gates + 2 * width<T>, to_keep<T>(o.gate, p.sum[2], z));
      store<T>(p.gates + 3 * width<T>, p.sum[3]);
    }
    const Vec<T> old = load<T>(p.h_old);
    return hidden_zone(o, p.keep_hidden).mix(old, (T(1) - z) * (n * p.kept) + z * old);
  }
  RELEMBRA_INLINE static void backward(const BackwardPoint<T>& p) {
    const Options<T>& o = *p.options;
    const Vec<T> n_kept = load<T>(p.gates), r_kept = load<T>(p.gates + width<T>);
    const Vec<T> z_kept = load<T>(p.gates + 2 * width<T>), part = load<T>(p.gates + 3 * width<T>);
    const Vec<T> r = value_kept<T>(o.gate, r_kept), z = value_kept<T>(o.gate, z_kept);
    const Vec<T> n = value_kept<T>(o.candidate, n_kept);
    const Zone<T> zone = hidden_zone(o, p.keep_hidden);
    const Vec<T> dh = zone.to_fresh(p.dh);
    store<T>(p.dh_old, zone.to_old(p.dh) + dh * z);
    const Vec<T> dn = dh * (T(1) - z) * p.kept * slope_of<T>(o.candidate, n_kept, n);
    store<T>(p.d_gates, dn);
    store<T>(p.d_gates + width<T>, dn * part * slope_of<T>(o.gate, r_kept, r));
    store<T>(p.d_gates + 2 * width<T>,
             dh * (p.h_old - n * p.kept) * slope_of<T>(o.gate, z_kept, z));
    store<T>(p.d_gates + 3 * width<T>, dn * r);
  }
  RELEMBRA_INLINE static void show(const BackwardPoint<T>& p, Vec<T>* to) {
    const Options<T>& o = *p.options;
    to[0] = value_kept<T>(o.gate, load<T>(p.gates + width<T>));
    to[1] = value_kept<T>(o.gate, load<T>(p.gates + 2 * width<T>));
    to[2] = value_kept<T>(o.candidate, load<T>(p.gates));
  }
};

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
