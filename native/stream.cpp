#include "stream.hpp"

#include <algorithm>

#include "dispatch.hpp"
#include "pool.hpp"

namespace relembra {
namespace {

// Multiply-adds of a step below which waking a second thread costs more than it saves.
constexpr double worth_a_thread = 5e5;

template <class T> double work_of(const PackedStack<T>& weights, Extent rows) {
  Extent elements = 0;
  for (int i = 0; i < weights.shape().layers; ++i)
    elements += weights.layer(i, 0).shape.packed_ih + weights.layer(i, 0).shape.packed_hh;
  return static_cast<double>(elements) * static_cast<double>(rows);
}

template <class T> int teams_of(const PackedStack<T>& weights, Extent rows, int threads) {
  const double most = std::min(static_cast<double>(threads), static_cast<double>(rows));
  const double useful = work_of(weights, rows) / worth_a_thread;
  return static_cast<int>(std::max(1.0, std::min(most, useful)));
}

Extent aligned(Extent elements) { return (elements + 15) / 16 * 16; }

}  // namespace

template <class T>
Stream<T>::Stream(std::shared_ptr<const PackedStack<T>> weights, Extent rows, T* hidden, T* cell,
                  int threads)
    : weights_(std::move(weights)),
      plan_({rows, 1, nullptr, nullptr, nullptr}, false,
            teams_of(*weights_, rows, threads)),
      work_(work_of(*weights_, rows)),
      threads_(threads) {
  const Kernels<T>& kernels = kernels_of<T>();
  const StackShape& shape = weights_->shape();
  const Extent state = rows * shape.outputs();
  Extent scratch = 0;
  for (int i = 0; i < shape.layers; ++i) {
    const PackedLayer<T>& packed = weights_->layer(i, 0);
    Forward<T> call{};
    Layer<T>& l = call.layer;
    l.shape = &packed.shape;
    l.ih = packed.ih;
    l.hh = packed.hh;
    l.bias = packed.bias;
    l.narrow = packed.narrow_or_null();
    l.options = &packed.options;
    l.walks = plan_.walks().data();
    l.barriers = plan_.barriers().data();
    l.teams = static_cast<int>(plan_.walks().size());
    l.members = 1;
    l.hidden0 = call.hidden = hidden + i * state;
    l.cell0 = call.cell = cell ? cell + i * rows * shape.units : nullptr;
    l.chunk = 1;
    l.scratch_stride = kernels.forward_scratch(&l);
    scratch = std::max(scratch, l.teams * l.scratch_stride);
    calls_.push_back(call);
  }
  // The layers follow one another, so they share the scratch; each writes what the next one reads.
  memory_ = block_of<T>(aligned(scratch) + (shape.layers - 1) * aligned(state));
  T* between = memory_.template as<T>() + aligned(scratch);
  for (int i = 0; i < shape.layers; ++i) {
    calls_[i].layer.scratch = memory_.template as<T>();
    if (i + 1 == shape.layers) break;
    calls_[i].output = {between, shape.outputs(), 0};
    calls_[i + 1].layer.x = {between, shape.outputs(), 0};
    between += aligned(state);
  }
}

template <class T> void Stream<T>::step(const T* x, T* y) {
  const Kernels<T>& kernels = kernels_of<T>();
  calls_.front().layer.x = {x, weights_->shape().inputs, 0};
  calls_.back().output = {y, weights_->shape().outputs(), 0};
  const int teams = calls_.front().layer.teams;
  if (teams == 1) {
    for (const Forward<T>& call : calls_) kernels.forward(&call, 0);
    return;
  }
  // A team's rows are its own in every layer.
  Lease lease(threads_);
  lease.run(teams, [&](int share) {
    for (const Forward<T>& call : calls_) kernels.forward(&call, share);
  });
}

template class Stream<float>;
template class Stream<double>;

}  // namespace relembra
