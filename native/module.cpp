// The Python module relembra._native.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "build_info.hpp"
#include "dispatch.hpp"
#include "linear_module.hpp"
#include "memory.hpp"
#include "packed_module.hpp"
#include "stack.hpp"
#include "stream_module.hpp"

namespace nb = nanobind;

namespace {

std::map<std::string, std::string> build_info() {
  return {{"compiler", relembra::compiler()},
          {"standard", relembra::standard()},
          {"build_type", RELEMBRA_BUILD_TYPE},
          {"source_digest", relembra::source_digest()}};
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const auto& info : relembra::instruction_sets)
    if (relembra::supported(info.set)) names.emplace_back(info.name);
  return names;
}

std::string instruction_set() {
  for (const auto& info : relembra::instruction_sets)
    if (info.set == relembra::chosen()) return std::string(info.name);
  throw std::logic_error("the chosen instruction set has no name");
}

// Arrays come as addresses and strides: engine/_native_path.py has checked types, shapes and
// strides, and holds the tensors. 0 is null.
using Addresses = std::vector<Address>;

struct SequenceAt {
  Address data;
  relembra::Extent row, time;
  template <class T> relembra::Sequence<T> as() const { return {at<T>(data), row, time}; }
};

// What forward and backward share: where the call's input is.
struct Input {
  bool twofold;
  relembra::Batch batch;
  SequenceAt x;
  Addresses weights;  // weight_fields for each layer and direction
  Address hidden, cell;
  Addresses noise;    // four for each layer and direction, or none
  Addresses gaps;     // one for each gap between layers
  int threads;

  template <class T> relembra::StackInput<T> as() const {
    relembra::StackInput<T> input{
        batch, x.as<const T>(), weights_of<T>(weights), at<const T>(hidden), at<const T>(cell),
        {},    {},           threads};
    for (std::size_t i = 0; i + 3 < noise.size(); i += 4)
      input.noise.push_back({at<const T>(noise[i]), at<const T>(noise[i + 1]),
                             at<const T>(noise[i + 2]), at<const T>(noise[i + 3])});
    if (noise.empty()) input.noise.resize(input.weights.size());
    for (const Address gap : gaps) input.gaps.push_back(at<const T>(gap));
    return input;
  }
};

Input make_input(bool twofold, relembra::Extent rows, relembra::Extent steps, Address lengths,
                 Address mask, Address reset, Address x, relembra::Extent x_row,
                 relembra::Extent x_time, Addresses weights, Address hidden, Address cell,
                 Addresses noise, Addresses gaps, int threads) {
  return {twofold,
          {rows, steps, at<const std::int64_t>(lengths), at<const bool>(mask),
           at<const bool>(reset)},
          {x, x_row, x_time},
          std::move(weights),
          hidden,
          cell,
          std::move(noise),
          std::move(gaps),
          threads};
}

std::unique_ptr<relembra::Tape> forward(const relembra::StackShape& shape, const Input& input,
                                        Address y, relembra::Extent y_row, relembra::Extent y_time,
                                        Address hidden, Address cell, bool keep,
                                        Address memory, const PackedWeights* packed,
                                        relembra::Extent recompute) {
  const nb::gil_scoped_release unlocked;
  const SequenceAt to{y, y_row, y_time};
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    auto given = input.as<T>();
    if (packed) given.packed = packed->as<T>();
    given.recompute = recompute;
    return relembra::stack_forward<T>(shape, given, {to.as<T>(), at<T>(hidden), at<T>(cell)}, keep,
                                      at<void>(memory));
  };
  return input.twofold ? run(0.0) : run(0.0f);
}

std::unique_ptr<relembra::Tape> restore(const relembra::StackShape& shape, const Input& input,
                                        Address memory) {
  if (input.twofold)
    return relembra::stack_restore<double>(shape, input.as<double>(), at<void>(memory));
  return relembra::stack_restore<float>(shape, input.as<float>(), at<void>(memory));
}

relembra::Extent tape_step(const relembra::StackShape& shape, bool twofold, bool gaps) {
  return twofold ? relembra::tape_step<double>(shape, gaps) : relembra::tape_step<float>(shape, gaps);
}

struct Gradients {
  SequenceAt d_y;
  Address d_hidden, d_cell;
  SequenceAt d_x;
  Address d_hidden0, d_cell0;
  Addresses weights;

  template <class T> relembra::StackGradients<T> as() const {
    relembra::StackGradients<T> g{d_y.as<const T>(),    at<const T>(d_hidden), at<const T>(d_cell),
                                  d_x.as<T>(),          at<T>(d_hidden0),      at<T>(d_cell0),
                                  {}};
    for (std::size_t i = 0; i + relembra::weight_fields <= weights.size();
         i += relembra::weight_fields)
      g.weights.push_back({at<T>(weights[i]), at<T>(weights[i + 1]), at<T>(weights[i + 2]),
                           at<T>(weights[i + 3]), at<T>(weights[i + 4]), at<T>(weights[i + 5]),
                           at<T>(weights[i + 6]), at<T>(weights[i + 7]), at<T>(weights[i + 8]),
                           at<T>(weights[i + 9])});
    return g;
  }
};

void backward(const relembra::Tape& tape, const Input& input, Address y, relembra::Extent y_row,
              relembra::Extent y_time, Address d_y, relembra::Extent d_y_row,
              relembra::Extent d_y_time, Address d_hidden, Address d_cell, Address d_x,
              relembra::Extent d_x_row, relembra::Extent d_x_time, Address d_hidden0,
              Address d_cell0, Addresses d_weights) {
  const nb::gil_scoped_release unlocked;
  const SequenceAt seen{y, y_row, y_time};
  const Gradients gradients{{d_y, d_y_row, d_y_time}, d_hidden,  d_cell,
                            {d_x, d_x_row, d_x_time}, d_hidden0, d_cell0,
                            std::move(d_weights)};
  if (input.twofold)
    relembra::stack_backward<double>(tape, input.as<double>(), seen.as<const double>(),
                                     gradients.as<double>());
  else
    relembra::stack_backward<float>(tape, input.as<float>(), seen.as<const float>(),
                                    gradients.as<float>());
}

template <class T>
relembra::StackTrace<T> trace_at(Address hidden, Address cell, const Addresses& gates) {
  relembra::StackTrace<T> trace{at<T>(hidden), at<T>(cell), {}};
  for (const Address gate : gates) trace.gates.push_back(at<T>(gate));
  return trace;
}

void trace(const relembra::Tape& tape, const Input& input, Address y, relembra::Extent y_row,
           relembra::Extent y_time, Address hidden, Address cell, const Addresses& gates) {
  const nb::gil_scoped_release unlocked;
  const SequenceAt seen{y, y_row, y_time};
  if (input.twofold)
    relembra::stack_trace<double>(tape, input.as<double>(), seen.as<const double>(),
                                  trace_at<double>(hidden, cell, gates));
  else
    relembra::stack_trace<float>(tape, input.as<float>(), seen.as<const float>(),
                                 trace_at<float>(hidden, cell, gates));
}

std::map<std::string, std::size_t> memory_use() {
  const relembra::MemoryUse use = relembra::memory_use();
  return {{"used", use.used}, {"peak", use.peak}, {"kept", use.kept}, {"blocks", use.blocks},
          {"fresh", use.fresh},
          {"most", use.most}};
}

// The elementwise functions, for the tests of their errors: 0 exp, 1 logistic, 2 tanh.
void apply(int function, bool twofold, Address x, Address y, relembra::Extent count) {
  if (twofold)
    relembra::kernels_of<double>().apply(function, at<const double>(x), at<double>(y), count);
  else
    relembra::kernels_of<float>().apply(function, at<const float>(x), at<float>(y), count);
}

}  // namespace

NB_MODULE(_native, m) {
  // The engine's caches and torch's dispatcher keep what is of this module until the process ends.
  nb::set_leak_warnings(false);
  m.doc() = "Relembra's native core. Private: relembra.engine is its only user.";
  m.def("build_info", &build_info,
        "Return how this library was built: compiler, standard, build_type, source_digest.");
  m.def("instruction_sets", &instruction_sets,
        "Return the instruction sets that this CPU can run, the widest last:\n"
        "some of 'baseline', 'neon', 'avx2' (with FMA) and 'avx512' (F, BW, DQ, VL).");
  m.def("instruction_set", &instruction_set,
        "Return the instruction set in use: the widest, or what RELEMBRA_ISA names.");
  m.def("apply", &apply, "Apply exp (0), logistic (1) or tanh (2) to an array.");

  nb::enum_<relembra::CellKind>(m, "CellKind")
      .value("rnn_tanh", relembra::CellKind::rnn_tanh)
      .value("rnn_relu", relembra::CellKind::rnn_relu)
      .value("lstm", relembra::CellKind::lstm)
      .value("gru", relembra::CellKind::gru)
      .value("general_rnn", relembra::CellKind::general_rnn)
      .value("general_lstm", relembra::CellKind::general_lstm)
      .value("coupled_lstm", relembra::CellKind::coupled_lstm)
      .value("general_gru", relembra::CellKind::general_gru)
      .value("staged_rnn", relembra::CellKind::staged_rnn)
      .value("staged_lstm", relembra::CellKind::staged_lstm)
      .value("staged_coupled_lstm", relembra::CellKind::staged_coupled_lstm)
      .value("staged_gru", relembra::CellKind::staged_gru)
      .value("staged_gru_before", relembra::CellKind::staged_gru_before);
  nb::enum_<relembra::Function>(m, "Function")
      .value("tanh", relembra::Function::tanh)
      .value("sigmoid", relembra::Function::logistic)
      .value("relu", relembra::Function::relu)
      .value("hard_sigmoid", relembra::Function::hard_sigmoid)
      .value("softsign", relembra::Function::softsign)
      .value("elu", relembra::Function::elu)
      .value("identity", relembra::Function::identity)
      .value("gelu", relembra::Function::gelu);
  nb::class_<relembra::Activation<double>>(m, "Activation")
      .def("__init__", [](relembra::Activation<double>* self, relembra::Function kind, double slope,
                          double offset, double alpha) {
        new (self) relembra::Activation<double>{kind, slope, offset, alpha};
      });
  nb::class_<relembra::StackShape>(m, "StackShape")
      .def("__init__",
           [](relembra::StackShape* self, relembra::CellKind kind, relembra::Extent inputs,
              relembra::Extent units, int layers, int directions,
              const relembra::Activation<double>& gate,
              const relembra::Activation<double>& candidate,
              const relembra::Activation<double>& state, double keep_hidden, double keep_cell,
              relembra::Extent projection, bool norm, bool gate_masks) {
             new (self) relembra::StackShape{kind,      inputs,      units,     layers,
                                             directions, gate,       candidate, state,
                                             keep_hidden, keep_cell, projection, norm,
                                             gate_masks};
           },
           nb::arg("kind"), nb::arg("inputs"), nb::arg("units"), nb::arg("layers"),
           nb::arg("directions"), nb::arg("gate"), nb::arg("candidate"), nb::arg("state"),
           nb::arg("keep_hidden"), nb::arg("keep_cell"), nb::arg("projection") = 0,
           nb::arg("norm") = false, nb::arg("gate_masks") = false);
  nb::class_<Input>(m, "Input").def("__init__", [](Input* self, bool twofold, relembra::Extent rows,
                                                   relembra::Extent steps, Address lengths,
                                                   Address mask, Address reset, Address x,
                                                   relembra::Extent x_row, relembra::Extent x_time,
                                                   Addresses weights, Address hidden, Address cell,
                                                   Addresses noise, Addresses gaps, int threads) {
    new (self) Input(make_input(twofold, rows, steps, lengths, mask, reset, x, x_row, x_time,
                                std::move(weights), hidden, cell, std::move(noise),
                                std::move(gaps), threads));
  });
  nb::class_<relembra::Tape>(m, "Tape").def_prop_ro("bytes", &relembra::Tape::bytes);
  m.attr("tape_header") = relembra::tape_header;
  m.attr("weight_fields") = relembra::weight_fields;
  m.def("tape_step", &tape_step);
  m.def("restore", &restore);
  m.def("memory_use", &memory_use,
        "Return the bytes that calls hold ('used'), the most since restart_peak ('peak'), the bytes\n"
        "kept for later calls ('kept'), and how many blocks were ever asked for ('blocks'), and\n"
        "how many of them the system gave ('fresh'); 'most' is the peak of all time.");
  m.def("restart_peak", &relembra::restart_peak);
  define_stream(m);
  define_linear(m);
  m.def("forward", &forward, nb::arg("shape"), nb::arg("input"), nb::arg("y"), nb::arg("y_row"),
        nb::arg("y_time"), nb::arg("hidden"), nb::arg("cell"), nb::arg("keep"),
        nb::arg("memory") = 0, nb::arg("packed").none() = nb::none(), nb::arg("recompute") = 0);
  m.def("backward", &backward);
  m.def("trace", &trace);
}
