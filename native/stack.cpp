#include "stack.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "dispatch.hpp"
#include "kinds.hpp"
#include "memory.hpp"
#include "packed.hpp"
#include "pool.hpp"
#include "segments.hpp"

namespace relembra {
namespace {

// Multiply-adds below which waking a second thread costs more than it saves.
constexpr double worth_a_thread = 5e5;
// Multiply-adds of one step of all rows below which its members would mostly wait for each other.
constexpr double worth_a_member = 6e4;
// For members that are asleep a walk waits at most this part of the time that it takes alone, at
// some 2e10 multiply-adds a second.
constexpr double patience = 0.1 / 2e10, patient_at_most = 1e-3;

constexpr Extent forward_chunk_bytes = 192 << 10;
constexpr Extent backward_chunk_bytes = 384 << 10;

template <class S> double work_of(const S& s) {
  const double gates = has_cell(s.kind) ? 4 : gates_of(s.kind);
  return gates * static_cast<double>(s.units) * static_cast<double>(s.units);
}

// Positions that are worked on at a time.
template <class T> Extent chunk_of(const Shape& s, Extent bytes, Extent least) {
  return std::max(least, bytes / (s.packed_bias * static_cast<Extent>(sizeof(T))));
}
template <class T> Extent forward_chunk(const Shape& s) {
  return chunk_of<T>(s, forward_chunk_bytes, 16);
}
template <class T> Extent backward_chunk(const Shape& s) {
  return chunk_of<T>(s, backward_chunk_bytes, 96);
}

template <class T> struct LayerTape {
  Block gates, cells;
  Block borders;  // or the states between segments instead
};

template <class T> class StackTape final : public Tape {
 public:
  StackShape shape;
  std::vector<Shape> layers;          // (layers)
  std::vector<Plan> plans;            // (directions)
  std::vector<LayerTape<T>> walks;    // (layers * directions)
  std::vector<Block> between;         // (layers - 1) outputs (B, T, directions * H)
  std::vector<Block> dropped;         // (layers - 1) the same times the dropout masks
  bool kept = false;
  Extent every = 0;                   // steps of a segment, or 0: all is kept
  char* memory = nullptr;             // of the caller's, for what comes next; or null

  Extent bytes() const override {
    std::size_t sum = 0;
    for (const auto& w : walks) sum += w.gates.bytes() + w.cells.bytes() + w.borders.bytes();
    for (const auto& b : between) sum += b.bytes();
    for (const auto& b : dropped) sum += b.bytes();
    return static_cast<Extent>(sum);
  }
  Extent width() const { return shape.outputs() * shape.directions; }

  void prepare(const StackInput<T>& input, int teams) {
    const Kernels<T>& kernels = kernels_of<T>();
    for (int layer = 0; layer < shape.layers; ++layer) {
      Shape s{};
      s.kind = shape.kind;
      s.inputs = layer ? width() : shape.inputs;
      s.units = shape.units;
      s.outputs = shape.outputs();
      s.norm = shape.norm;
      s.gate_masks = shape.gate_masks;
      kernels.measure(&s);
      layers.push_back(s);
    }
    for (int direction = 0; direction < shape.directions; ++direction)
      plans.emplace_back(input.batch, direction == 1, teams);
    walks.resize(shape.layers * shape.directions);
  }

  // Takes the memory of a layer. In the caller's memory, the same order finds the same places.
  void reserve(const StackInput<T>& input, int layer) {
    const bool top = layer == shape.layers - 1;
    const Extent outputs = input.batch.rows * input.batch.steps * width();
    const Shape& s = layers[layer];
    if (!top) between.push_back(take(outputs));
    for (int direction = 0; kept && direction < shape.directions; ++direction) {
      LayerTape<T>& walk = walks[layer * shape.directions + direction];
      if (const auto segments = segments_of(layer, direction)) {
        walk.borders = take(borders_of(layer * shape.directions + direction, input.batch.rows).elements(*segments));
        continue;
      }
      walk.gates = take(plans[direction].positions() * s.position);
      if (has_cell(shape.kind)) walk.cells = take(plans[direction].positions() * s.padded);
    }
    if (!top) dropped.push_back(input.gaps[layer] ? take(outputs) : Block());
  }

  // Null where everything is kept, or there is nothing to keep.
  std::unique_ptr<Segments> segments_of(int layer, int direction) const {
    const Shape& s = layers[layer];
    if (!kept || !every || !(s.position || has_cell(shape.kind))) return nullptr;
    auto segments = std::make_unique<Segments>(plans[direction], every, backward_chunk<T>(s));
    return segments->count() > 1 ? std::move(segments) : nullptr;
  }

  Borders<T> borders_of(int index, Extent rows) const {
    return {walks[index].borders.template as<T>(), rows * shape.outputs(),
            has_cell(shape.kind) ? rows * shape.units : 0};
  }

 private:
  Block take(Extent elements) {
    if (!memory) return block_of<T>(elements);
    const std::size_t bytes = static_cast<std::size_t>(elements) * sizeof(T);
    Block block(memory, bytes);
    memory += (bytes + 63) / 64 * 64;
    return block;
  }
};

// Few rows of many units: two teams would each read all of the weights at every step, members read
// their part. From here on that is more than a core's own cache holds.
constexpr double too_wide = 5e5;  // weights
constexpr Extent few_rows = 6;    // of a team, less than a tile

template <class S> bool shares_units(const S& s, const Batch& batch, int threads) {
  if (is_staged(s.kind)) return false;
  return batch.rows < threads || (batch.rows < few_rows * threads && work_of(s) > too_wide);
}

int teams_for(const StackShape& shape, const Batch& batch, int threads) {
  if (threads > 1 && shares_units(shape, batch, threads)) return 1;
  const double work = work_of(shape) * static_cast<double>(batch.rows * batch.steps * shape.layers);
  const double useful = std::max(1.0, work / worth_a_thread);
  return static_cast<int>(std::max<double>(
      1, std::min({static_cast<double>(threads), static_cast<double>(batch.rows), useful})));
}

int members_for(const Shape& s, const Batch& batch, int teams, int threads) {
  if (teams > 1 || !shares_units(s, batch, threads)) return 1;
  const double useful = work_of(s) * static_cast<double>(batch.rows) / worth_a_member;
  return static_cast<int>(std::clamp(useful, 1.0, static_cast<double>(threads)));
}

// Features of one direction inside an array (B, T, directions * P).
template <class T> Sequence<T> of_direction(Sequence<T> y, int direction, Extent outputs) {
  if (y.data) y.data += direction * outputs;
  return y;
}

template <class T> Sequence<T> dense_sequence(T* data, Extent steps, Extent width) {
  return {data, steps * width, width};
}

template <class T>
Options<T> options_of(const StackShape& shape, const StackInput<T>& input, int index) {
  const Noise<T>& noise = input.noise[index];
  return {as<T>(shape.gate),
          as<T>(shape.candidate),
          as<T>(shape.state),
          static_cast<T>(shape.keep_hidden),
          static_cast<T>(shape.keep_cell),
          nullptr,
          noise.state,
          noise.candidate,
          noise.hidden,
          noise.cell};
}

template <class T> T* offset_or_null(T* p, Extent by) { return p ? p + by : nullptr; }

template <class T>
void multiply(Lease& lease, const T* a, const T* b, T* to, Extent count) {
  const int shares = count > (1 << 16) ? lease.threads() : 1;
  lease.run(shares, [&](int share) {
    for (Extent i = count * share / shares; i < count * (share + 1) / shares; ++i)
      to[i] = a[i] * b[i];
  });
}

// The input of a layer: the call's, or the output of the layer below.
template <class T>
Sequence<const T> input_of(const StackTape<T>& tape, const StackInput<T>& input, int layer) {
  if (layer == 0) return input.x;
  const Block& below =
      input.gaps[layer - 1] ? tape.dropped[layer - 1] : tape.between[layer - 1];
  return dense_sequence<const T>(below.template as<T>(), input.batch.steps, tape.width());
}

template <class T>
Layer<T> layer_of(const StackTape<T>& tape, const StackInput<T>& input, int layer, int direction,
                  const Lease& lease) {
  const Plan& plan = tape.plans[direction];
  const Shape& shape = tape.layers[layer];
  const int index = layer * tape.shape.directions + direction;
  const Extent before = index * input.batch.rows;
  Layer<T> l{};
  l.shape = &shape;
  l.walks = plan.walks().data();
  l.teams = static_cast<int>(plan.walks().size());
  l.members = members_for(shape, input.batch, l.teams, lease.threads());
  if (l.members > 1) {
    const double rows_steps = static_cast<double>(input.batch.rows * input.batch.steps);
    const double wait = std::min(patient_at_most, patience * work_of(shape) * rows_steps);
    l.members = std::min(l.members, lease.ready(wait));
  }
  l.x = input_of(tape, input, layer);
  l.hidden0 = offset_or_null(input.hidden, before * shape.outputs);
  l.cell0 = offset_or_null(input.cell, before * shape.units);
  l.gates = tape.walks[index].gates.template as<T>();
  l.cells = tape.walks[index].cells.template as<T>();
  return l;
}

// Fills the steps of one row that were not taken: its states (T, H) with the state held, its gates
// with zeros.
template <class T> struct Untaken {
  const Batch& batch;
  Extent units;

  void hold(Extent row, bool reverse, const T* initial, T* states) const {
    const T* held = initial;  // null: zeros
    const auto show = [&](Extent t) {
      if (held) std::copy_n(held, units, states + t * units);
      else std::fill_n(states + t * units, units, T(0));
    };
    const Extent length = length_of(row);
    for (Extent t = length; reverse && t < batch.steps; ++t) show(t);
    for (Extent i = 0; i < length; ++i) {
      const Extent t = reverse ? length - 1 - i : i, at = reverse ? t + 1 : t;
      if (batch.reset && at < length && batch.reset[row * batch.steps + at]) held = nullptr;
      if (taken(row, t)) held = states + t * units;
      else show(t);
    }
    for (Extent t = length; !reverse && t < batch.steps; ++t) show(t);
  }
  void clear(Extent row, T* gate) const {
    for (Extent t = 0; t < batch.steps; ++t)
      if (t >= length_of(row) || !taken(row, t)) std::fill_n(gate + t * units, units, T(0));
  }

 private:
  Extent length_of(Extent row) const { return batch.lengths ? batch.lengths[row] : batch.steps; }
  bool taken(Extent row, Extent t) const {
    return !batch.mask || batch.mask[row * batch.steps + t];
  }
};

}  // namespace

template <class T>
std::unique_ptr<Tape> stack_forward(const StackShape& shape, const StackInput<T>& input,
                                    const StackOutput<T>& output, bool keep, void* memory) {
  const Kernels<T>& kernels = kernels_of<T>();
  auto tape = std::make_unique<StackTape<T>>();
  tape->shape = shape;
  tape->kept = keep;
  tape->every = input.recompute;
  const int teams = teams_for(shape, input.batch, input.threads);
  if (memory) {
    std::memcpy(memory, &teams, sizeof teams);
    tape->memory = static_cast<char*>(memory) + tape_header;
  }
  tape->prepare(input, teams);

  Lease lease(teams > 1 || members_for(tape->layers[0], input.batch, teams, input.threads) > 1
                  ? input.threads
                  : 1);
  const Extent rows = input.batch.rows, steps = input.batch.steps;
  for (int layer = 0; layer < shape.layers; ++layer) {
    const Shape& s = tape->layers[layer];
    const bool top = layer == shape.layers - 1;
    tape->reserve(input, layer);
    Sequence<T> y = output.y;
    if (!top) y = dense_sequence(tape->between[layer].template as<T>(), steps, tape->width());
    for (int direction = 0; direction < shape.directions; ++direction) {
      const int index = layer * shape.directions + direction;
      Plan& plan = tape->plans[direction];
      Forward<T> call{};
      call.layer = layer_of(*tape, input, layer, direction, lease);
      call.layer.chunk = forward_chunk<T>(s);
      call.layer.barriers = plan.barriers().data();
      call.layer.scratch_stride = kernels.forward_scratch(&call.layer);
      const PackedLayer<T>* held = input.packed ? &input.packed->layer(layer, direction) : nullptr;
      const Extent wanted = held ? 0 : s.packed_ih + s.packed_hh + 2 * s.packed_bias;
      const Block memory =
          block_of<T>(call.layer.teams * call.layer.scratch_stride + wanted + 96);
      Cutter<T> cut{memory.template as<T>()};
      call.layer.scratch = cut.take(call.layer.teams * call.layer.scratch_stride);
      Options<T> options{};
      if (has_options(s.kind)) options = options_of(shape, input, index);
      call.layer.options = &options;
      if (held) {
        call.layer.ih = held->ih;
        call.layer.hh = held->hh;
        call.layer.bias = held->bias;
        call.layer.narrow = held->narrow_or_null();
        options.peephole = held->options.peephole;
      } else {
        Packing<T> packing{&s, input.weights[index], cut.take(s.packed_ih), cut.take(s.packed_hh),
                           cut.take(s.packed_bias), nullptr, nullptr,
                           input.weights[index].peephole ? cut.take(s.packed_bias) : nullptr};
        const int packers = s.packed_ih + s.packed_hh > 1 << 15 ? lease.threads() : 1;
        lease.run(packers, [&](int share) { kernels.pack(&packing, share, packers); });
        call.layer.ih = packing.ih;
        call.layer.hh = packing.hh;
        call.layer.bias = packing.bias;
        options.peephole = packing.peephole;
      }
      call.output = of_direction(y, direction, s.outputs);
      call.hidden = output.hidden + index * rows * s.outputs;
      call.cell = offset_or_null(output.cell, index * rows * s.units);
      const int members = call.layer.members;
      const auto segments = tape->segments_of(layer, direction);
      if (segments)
        forward_in_segments(lease, call, *segments,
                            tape->borders_of(index, rows));
      lease.run(call.layer.teams * members, [&](int share) {
        if (!segments) kernels.forward(&call, share);
        if (top && share % members == 0)
          plan.clear_unvisited(share / members, call.output, s.outputs);
      });
    }
    if (!top && keep == false && layer > 0) tape->between[layer - 1] = Block();
    if (!top && input.gaps[layer])
      multiply(lease, tape->between[layer].template as<T>(), input.gaps[layer],
               tape->dropped[layer].template as<T>(), rows * steps * tape->width());
  }
  if (!keep) return nullptr;
  return tape;
}

template <class T> Extent tape_step(const StackShape& shape, bool gaps) {
  // The widest vectors have 16 elements; with no more than that every array is whole cache lines.
  const auto whole = [](Extent n) { return (n + 15) / 16 * 16; };
  const bool rnn = shape.kind == CellKind::rnn_tanh || shape.kind == CellKind::rnn_relu;
  const Extent slots = has_cell(shape.kind)                  ? 5  // with the cell state
                       : rnn                                 ? 0
                       : shape.kind == CellKind::general_rnn ? 1
                                                             : 4;
  Extent step = slots * whole(shape.units);
  if (is_staged(shape.kind)) {
    // The sums, of the GRU's candidate in two parts; or both normalised products, with their
    // factors; and the cell state.
    const Extent gates = static_cast<Extent>(gates_of(shape.kind)) * whole(shape.units);
    const bool beside = has_cell(shape.kind) || shape.kind == CellKind::staged_gru;
    step = (shape.norm ? 2 * gates + 16 : gates) + (beside ? whole(shape.units) : 0);
  }
  const Extent walks = shape.layers * shape.directions * step;
  const Extent outputs = (shape.layers - 1) * whole(shape.outputs() * shape.directions);
  return (walks + (gaps ? 2 : 1) * outputs) * static_cast<Extent>(sizeof(T));
}

template <class T>
std::unique_ptr<Tape> stack_restore(const StackShape& shape, const StackInput<T>& input,
                                    void* memory) {
  auto tape = std::make_unique<StackTape<T>>();
  int teams;
  std::memcpy(&teams, memory, sizeof teams);
  tape->shape = shape;
  tape->kept = true;
  tape->memory = static_cast<char*>(memory) + tape_header;
  tape->prepare(input, teams);
  for (int layer = 0; layer < shape.layers; ++layer) tape->reserve(input, layer);
  return tape;
}

template <class T>
void stack_backward(const Tape& kept, const StackInput<T>& input, Sequence<const T> y,
                    const StackGradients<T>& gradients) {
  const auto& tape = dynamic_cast<const StackTape<T>&>(kept);
  const Kernels<T>& kernels = kernels_of<T>();
  const StackShape& shape = tape.shape;
  const Extent rows = input.batch.rows, steps = input.batch.steps;
  const int teams = static_cast<int>(tape.plans[0].walks().size());
  Lease lease(teams > 1 || members_for(tape.layers[0], input.batch, teams, input.threads) > 1
                  ? input.threads
                  : 1);
  Block d_below;  // gradient of the input of the layer at hand, which is the output of the one below
  for (int layer = shape.layers - 1; layer >= 0; --layer) {
    const Shape& s = tape.layers[layer];
    const bool top = layer == shape.layers - 1, bottom = layer == 0;
    const Block d_output_block = std::move(d_below);
    Sequence<const T> d_y = top ? gradients.d_y
                                : dense_sequence<const T>(d_output_block.template as<T>(), steps,
                                                          tape.width());
    Sequence<const T> seen =
        top ? y
            : dense_sequence<const T>(tape.between[layer].template as<T>(), steps, tape.width());
    Sequence<T> d_x = gradients.d_x;
    if (!bottom) {
      d_below = block_of<T>(rows * steps * tape.width());
      d_x = dense_sequence(d_below.template as<T>(), steps, tape.width());
    }
    for (int direction = 0; direction < shape.directions; ++direction) {
      const int index = layer * shape.directions + direction;
      const Plan& plan = tape.plans[direction];
      Backward<T> call{};
      call.layer = layer_of(tape, input, layer, direction, lease);
      call.layer.chunk = backward_chunk<T>(s);
      std::vector<Barrier> barriers(call.layer.teams);
      call.layer.barriers = barriers.data();
      call.layer.scratch_stride = kernels.backward_scratch(&call.layer);
      const Extent private_parts = call.layer.teams * s.gradient;
      const Block memory =
          block_of<T>(call.layer.teams * call.layer.scratch_stride + private_parts +
                      2 * s.packed_bias + s.packed_ih_back + s.packed_hh_back + 128);
      Cutter<T> cut{memory.template as<T>()};
      call.layer.scratch = cut.take(call.layer.teams * call.layer.scratch_stride);
      call.gradients = cut.take(private_parts);
      T* ih_back = d_x.data ? cut.take(s.packed_ih_back) : nullptr;
      T* bias = is_staged(s.kind) ? cut.take(s.packed_bias) : nullptr;
      Packing<T> packing{&s,      input.weights[index], nullptr,
                         nullptr, bias,                 ih_back,
                         cut.take(s.packed_hh_back),
                         input.weights[index].peephole ? cut.take(s.packed_bias) : nullptr};
      Options<T> options{};
      if (has_options(s.kind)) options = options_of(shape, input, index);
      options.peephole = packing.peephole;
      call.layer.options = &options;
      const int packers = s.packed_hh > 1 << 15 ? lease.threads() : 1;
      lease.run(packers, [&](int share) { kernels.pack(&packing, share, packers); });
      call.layer.bias = packing.bias;
      call.layer.ih_back = packing.ih_back;
      call.layer.hh_back = packing.hh_back;
      call.output = of_direction(seen, direction, s.outputs);
      call.d_output = of_direction(d_y, direction, s.outputs);
      call.d_hidden = offset_or_null(gradients.d_hidden, index * rows * s.outputs);
      call.d_cell = offset_or_null(gradients.d_cell, index * rows * s.units);
      call.d_x = d_x;
      call.add_to_d_x = direction == 1;
      call.d_hidden0 = gradients.d_hidden0 + index * rows * s.outputs;
      call.d_cell0 = offset_or_null(gradients.d_cell0, index * rows * s.units);
      call.weights = gradients.weights[index];
      const int members = call.layer.members;
      const auto segments = tape.segments_of(layer, direction);
      call.whole = !segments;
      lease.run(call.layer.teams * members, [&](int share) {
        if (bottom && d_x.data && direction == 0 && share % members == 0)
          plan.clear_unvisited(share / members, d_x, s.inputs);
        if (!segments) kernels.backward(&call, share);
      });
      if (segments)
        backward_in_segments(lease, call, input.weights[index], forward_chunk<T>(s), *segments,
                             tape.borders_of(index, rows));
      const int collectors = s.gradient > 1 << 14 ? lease.threads() : 1;
      lease.run(collectors, [&](int share) { kernels.collect(&call, share, collectors); });
    }
    if (!bottom && input.gaps[layer - 1]) {
      T* d = d_below.template as<T>();
      multiply(lease, d, input.gaps[layer - 1], d, rows * steps * tape.width());
    }
  }
}

template <class T>
void stack_trace(const Tape& kept, const StackInput<T>& input, Sequence<const T> y,
                 const StackTrace<T>& trace) {
  const auto& tape = dynamic_cast<const StackTape<T>&>(kept);
  const Kernels<T>& kernels = kernels_of<T>();
  const StackShape& shape = tape.shape;
  if (is_staged(shape.kind))
    throw std::logic_error("there is no trace of cells whose step has several stages");
  const Extent rows = input.batch.rows, steps = input.batch.steps, units = shape.units;
  const int teams = static_cast<int>(tape.plans[0].walks().size());
  Lease lease(teams > 1 ? input.threads : 1);
  for (int index = 0; index < shape.layers * shape.directions; ++index) {
    const int layer = index / shape.directions, direction = index % shape.directions;
    const Shape& s = tape.layers[layer];
    const bool top = layer == shape.layers - 1;
    Tracing<T> call{};
    call.layer = layer_of(tape, input, layer, direction, lease);
    Options<T> options{};
    if (has_options(s.kind)) options = options_of(shape, input, index);
    const bool peeps = input.weights[index].peephole != nullptr;
    const Block memory = block_of<T>(peeps ? s.packed_bias : 0);
    if (peeps) {
      options.peephole = memory.template as<T>();
      const Packing<T> packing{&s,      input.weights[index], nullptr, nullptr,
                               nullptr, nullptr,              nullptr, memory.template as<T>()};
      kernels.pack(&packing, 0, 1);
    }
    call.layer.options = &options;
    const Sequence<const T> below =
        top ? y : dense_sequence<const T>(tape.between[layer].template as<T>(), steps, tape.width());
    call.output = of_direction(below, direction, units);
    const Extent first = index * rows * steps * units;
    std::vector<T*> gates;
    for (T* gate : trace.gates) gates.push_back(gate + first);
    call.hidden = trace.hidden + first;
    call.cell = offset_or_null(trace.cell, first);
    call.gates = gates.data();
    const Plan& plan = tape.plans[direction];
    const Untaken<T> untaken{input.batch, units};
    lease.run(teams, [&](int team) {
      kernels.trace(&call, team);
      const Walk& walk = plan.walks()[team];
      for (Extent r = 0; !plan.dense() && r < walk.rows; ++r) {
        const Extent row = walk.row[r], at = row * steps * units;
        const bool reverse = direction == 1;
        const auto initial = [&](const T* states) {
          return offset_or_null(states, (index * rows + row) * units);
        };
        untaken.hold(row, reverse, initial(input.hidden), call.hidden + at);
        if (call.cell) untaken.hold(row, reverse, initial(input.cell), call.cell + at);
        for (T* gate : gates) untaken.clear(row, gate + at);
      }
    });
  }
}

#define RELEMBRA_INSTANTIATE(T)                                                                 \
  template std::unique_ptr<Tape> stack_forward(const StackShape&, const StackInput<T>&,         \
                                               const StackOutput<T>&, bool, void*);             \
  template Extent tape_step<T>(const StackShape&, bool);                                        \
  template std::unique_ptr<Tape> stack_restore(const StackShape&, const StackInput<T>&, void*); \
  template void stack_backward(const Tape&, const StackInput<T>&, Sequence<const T>,            \
                               const StackGradients<T>&);                                        \
  template void stack_trace(const Tape&, const StackInput<T>&, Sequence<const T>,               \
                            const StackTrace<T>&);
RELEMBRA_INSTANTIATE(float)
RELEMBRA_INSTANTIATE(double)
#undef RELEMBRA_INSTANTIATE

}  // namespace relembra
