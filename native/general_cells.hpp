// The cells with all their elementwise options: activations, peepholes, coupled gates, zoneout and
// dropout of the candidate. What backward needs is the sums before the activations; the rest it
// computes again.
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

template <class T> struct GeneralRnn {
  static constexpr int slots = 1, x_vectors = 1, h_vectors = 1, x_slot = 0, h_slot = 0;
  static constexpr int x_gate[] = {0}, h_gate[] = {0};
  static constexpr int gates = 1;
  static constexpr bool has_cell = false, has_direct = true, h_bias_apart = false;
  static constexpr bool needs_h_old = true, needs_h_new = false, saves_gates = true;
  static constexpr bool general = true, has_peepholes = false;

  template <bool Keep> RELEMBRA_INLINE static Vec<T> forward(const ForwardPoint<T>& p) {
    const Options<T>& o = *p.options;
    return hidden_zone(o, p.keep_hidden).mix(load<T>(p.h_old), value_of<T>(o.candidate, p.sum[0]));
  }
  RELEMBRA_INLINE static void backward(const BackwardPoint<T>& p) {
    const Options<T>& o = *p.options;
    const Zone<T> zone = hidden_zone(o, p.keep_hidden);
    const Vec<T> a = load<T>(p.gates), h = value_of<T>(o.candidate, a);
    store<T>(p.dh_old, zone.to_old(p.dh));
    store<T>(p.d_gates, zone.to_fresh(p.dh) * slope_of<T>(o.candidate, a, h));
  }
  RELEMBRA_INLINE static void show(const BackwardPoint<T>& p, Vec<T>* to) {
    to[0] = value_of<T>(p.options->candidate, load<T>(p.gates));
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

  struct Values {
    Vec<T> i_sum, f_sum, o_sum, i, f, g, o, c, shown;
  };
  RELEMBRA_INLINE static Values values_of(const Options<T>& options, const Vec<T>* sum,
                                          const T* peephole, Index stride, Vec<T> c_old,
                                          Vec<T> kept) {
    Values v;
    v.i_sum = sum[0];
    if (peephole) v.i_sum = fma(load<T>(peephole), c_old, v.i_sum);
    v.i = value_of<T>(options.gate, v.i_sum);
    if constexpr (Coupled) {
      v.f_sum = Vec<T>{};
      v.f = T(1) - v.i;
    } else {
      v.f_sum = sum[1];
      if (peephole) v.f_sum = fma(load<T>(peephole + stride), c_old, v.f_sum);
      v.f = value_of<T>(options.gate, v.f_sum);
    }
    v.g = value_of<T>(options.candidate, sum[g_slot]);
    v.c = fma(v.f, c_old, v.i * (v.g * kept));
    v.o_sum = sum[o_slot];
    if (peephole) v.o_sum = fma(load<T>(peephole + (Coupled ? 1 : 2) * stride), v.c, v.o_sum);
    v.o = value_of<T>(options.gate, v.o_sum);
    v.shown = value_of<T>(options.state, v.c);
    return v;
  }

  template <bool Keep> RELEMBRA_INLINE static Vec<T> forward(const ForwardPoint<T>& p) {
    const Vec<T> c_old = load<T>(p.c);
    const Values v = values_of(*p.options, p.sum, p.peephole, p.stride, c_old, p.kept);
    const Vec<T> c = cell_zone(*p.options, p.keep_cell).mix(c_old, v.c);
    store<T>(p.c, c);
    if constexpr (Keep) store<T>(p.c_saved, c);
    return hidden_zone(*p.options, p.keep_hidden).mix(load<T>(p.h_old), v.o * v.shown);
  }
  RELEMBRA_INLINE static void backward(const BackwardPoint<T>& p) {
    const Options<T>& options = *p.options;
    Vec<T> sum[slots];
    for (int q = 0; q < slots; ++q) sum[q] = load<T>(p.gates + q * width<T>);
    const Values v = values_of(options, sum, p.peephole, p.stride, p.c_old, p.kept);
    const Zone<T> zone = hidden_zone(options, p.keep_hidden);
    const Zone<T> cell_zoned = cell_zone(options, p.keep_cell);
    const Vec<T> dh = zone.to_fresh(p.dh);
    store<T>(p.dh_old, zone.to_old(p.dh));
    const Vec<T> dc_new = load<T>(p.dc);
    const Vec<T> d_o = dh * v.shown * slope_of<T>(options.gate, v.o_sum, v.o);
    Vec<T> dc = cell_zoned.to_fresh(dc_new) +
                dh * v.o * slope_of<T>(options.state, v.c, v.shown);
    if (p.peephole) dc = fma(d_o, load<T>(p.peephole + (Coupled ? 1 : 2) * p.stride), dc);
    const Vec<T> d_g = dc * v.i * p.kept * slope_of<T>(options.candidate, sum[g_slot], v.g);
    Vec<T> di = dc * (v.g * p.kept);
    const Vec<T> df = dc * p.c_old;
    if constexpr (Coupled) di = di - df;
    const Vec<T> d_i = di * slope_of<T>(options.gate, v.i_sum, v.i);
    Vec<T> dc_old = fma(dc, v.f, cell_zoned.to_old(dc_new));
    store<T>(p.d_gates, d_i);
    if constexpr (!Coupled) {
      const Vec<T> d_f = df * slope_of<T>(options.gate, v.f_sum, v.f);
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
      add_to(p.d_peephole + (Coupled ? 1 : 2) * p.stride, d_o * v.c);
    }
    store<T>(p.dc, dc_old);
  }
  RELEMBRA_INLINE static void show(const BackwardPoint<T>& p, Vec<T>* to) {
    Vec<T> sum[slots];
    for (int q = 0; q < slots; ++q) sum[q] = load<T>(p.gates + q * width<T>);
    const Values v = values_of(*p.options, sum, p.peephole, p.stride, p.c_old, p.kept);
    to[0] = v.i;
    if constexpr (!Coupled) to[1] = v.f;
    to[g_slot] = v.g;
    to[o_slot] = v.o;
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
    const Vec<T> n = value_of<T>(o.candidate, fma(r, p.sum[3], p.sum[0])) * p.kept;
    const Vec<T> old = load<T>(p.h_old);
    return hidden_zone(o, p.keep_hidden).mix(old, (T(1) - z) * n + z * old);
  }
  RELEMBRA_INLINE static void backward(const BackwardPoint<T>& p) {
    const Options<T>& o = *p.options;
    const Vec<T> r_sum = load<T>(p.gates + width<T>), z_sum = load<T>(p.gates + 2 * width<T>);
    const Vec<T> part = load<T>(p.gates + 3 * width<T>);
    const Vec<T> r = value_of<T>(o.gate, r_sum), z = value_of<T>(o.gate, z_sum);
    const Vec<T> n_sum = fma(r, part, load<T>(p.gates)), n = value_of<T>(o.candidate, n_sum);
    const Zone<T> zone = hidden_zone(o, p.keep_hidden);
    const Vec<T> dh = zone.to_fresh(p.dh);
    store<T>(p.dh_old, zone.to_old(p.dh) + dh * z);
    const Vec<T> dn = dh * (T(1) - z) * p.kept * slope_of<T>(o.candidate, n_sum, n);
    store<T>(p.d_gates, dn);
    store<T>(p.d_gates + width<T>, dn * part * slope_of<T>(o.gate, r_sum, r));
    store<T>(p.d_gates + 2 * width<T>,
             dh * (p.h_old - n * p.kept) * slope_of<T>(o.gate, z_sum, z));
    store<T>(p.d_gates + 3 * width<T>, dn * r);
  }
  RELEMBRA_INLINE static void show(const BackwardPoint<T>& p, Vec<T>* to) {
    const Options<T>& o = *p.options;
    to[0] = value_of<T>(o.gate, load<T>(p.gates + width<T>));
    to[1] = value_of<T>(o.gate, load<T>(p.gates + 2 * width<T>));
    const Vec<T> part = load<T>(p.gates + 3 * width<T>);
    to[2] = value_of<T>(o.candidate, fma(to[0], part, load<T>(p.gates)));
  }
};

}  // namespace
}  // namespace relembra::RELEMBRA_ISA
