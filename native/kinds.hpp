// What the driver has to know of each kind of cell; the kernels know it by their types.
#pragma once

#include "interface.hpp"

namespace relembra {

inline bool has_cell(CellKind kind) {
  return kind == CellKind::lstm || kind == CellKind::general_lstm ||
         kind == CellKind::coupled_lstm || kind == CellKind::staged_lstm ||
         kind == CellKind::staged_coupled_lstm;
}

inline bool has_options(CellKind kind) { return kind >= CellKind::general_rnn; }
inline bool is_staged(CellKind kind) { return kind >= CellKind::staged_rnn; }

inline int gates_of(CellKind kind) {
  switch (kind) {
    case CellKind::lstm:
    case CellKind::general_lstm:
    case CellKind::staged_lstm: return 4;
    case CellKind::rnn_tanh:
    case CellKind::rnn_relu:
    case CellKind::general_rnn:
    case CellKind::staged_rnn: return 1;
    default: return 3;
  }
}

template <class T> Activation<T> as(const Activation<double>& f) {
  return {f.kind, static_cast<T>(f.slope), static_cast<T>(f.offset), static_cast<T>(f.alpha)};
}

}  // namespace relembra
