#include "segments.hpp"

#include <algorithm>

#include "dispatch.hpp"
#include "memory.hpp"

namespace relembra {
namespace {

Extent offset(const Walk& w, Extent s) { return w.offset ? w.offset[s] : s * w.rows; }

// As the kernels cut, see walk.hpp.
Extent chunk_begin(const Walk& w, Extent end, Extent positions) {
  Extent s = end - 1;
  while (s > 0 && offset(w, end) - offset(w, s - 1) <= positions) --s;
  return s;
}

template <class T> void copy_or_clear(const T* from, Extent count, T* to) {
  if (!to) return;
  if (from) std::copy_n(from, count, to);
  else std::fill_n(to, count, T(0));
}

// A forward call with gates and cells of one segment, all in `memory`. What it writes of the
// output and the final states was written before: it goes to waste.
template <class T>
Forward<T> forward_again(Lease& lease, const Layer<T>& layer, const Weights<T>& weights,
                         Extent chunk, const Segments& segments, const Borders<T>& borders,
                         Block& memory) {
  using Cut = Cutter<T>;
  const Kernels<T>& kernels = kernels_of<T>();
  const Shape& s = *layer.shape;
  const Extent hidden = borders.hidden_size, cell = borders.cell_size;
  Forward<T> call{};
  Layer<T>& l = call.layer;
  l = layer;
  l.chunk = chunk;
  l.scratch_stride = kernels.forward_scratch(&l);
  const Extent gates = segments.positions() * s.position;
  const Extent cells = cell ? segments.positions() * s.padded : 0;
  memory = block_of<T>(Cut::whole(gates) + Cut::whole(cells) + 2 * Cut::whole(hidden) +
                       Cut::whole(cell) +
                       Cut::whole(s.packed_ih) + Cut::whole(s.packed_hh) +
                       Cut::whole(s.packed_bias) + l.teams * l.scratch_stride);
  Cut cut{memory.template as<T>()};
  l.gates = s.position ? cut.take(gates) : nullptr;
  l.cells = cell ? cut.take(cells) : nullptr;
  call.output = {cut.take(hidden), s.outputs, 0};
  call.hidden = cut.take(hidden);
  call.cell = cell ? cut.take(cell) : nullptr;
  Packing<T> packing{&s,      weights, cut.take(s.packed_ih), cut.take(s.packed_hh),
                     cut.take(s.packed_bias), nullptr, nullptr, nullptr};
  const int packers = s.packed_ih + s.packed_hh > 1 << 15 ? lease.threads() : 1;
  lease.run(packers, [&](int share) { kernels.pack(&packing, share, packers); });
  l.ih = packing.ih;
  l.hh = packing.hh;
  l.bias = packing.bias;
  l.scratch = cut.take(l.teams * l.scratch_stride);
  return call;
}

}  // namespace

Segments::Segments(const Plan& plan, Extent steps, Extent chunk) : plan_(plan) {
  for (const Walk& w : plan.walks()) {
    std::vector<Extent>& borders = borders_.emplace_back();
    borders.push_back(w.steps);
    while (borders.back() > 0) {
      Extent begin = borders.back();
      while (begin > 0 && borders.back() - begin < steps) begin = chunk_begin(w, begin, chunk);
      borders.push_back(begin);
    }
    // Rows without a step have a final state nevertheless.
    if (w.rows && !w.steps) borders.push_back(0);
    count_ = std::max(count_, static_cast<int>(borders.size()) - 1);
  }
  for (int segment = 0; segment < count_; ++segment) {
    Extent sum = 0;
    for (std::size_t team = 0; team < borders_.size(); ++team) {
      const std::vector<Extent>& borders = borders_[team];
      if (segment + 1 >= static_cast<int>(borders.size())) continue;
      const Walk& w = plan.walks()[team];
      sum += offset(w, borders[segment]) - offset(w, borders[segment + 1]);
    }
    positions_ = std::max(positions_, sum);
  }
}

std::vector<Walk> Segments::walks(int segment) const {
  std::vector<Walk> walks;
  Extent positions = 0;
  for (std::size_t team = 0; team < borders_.size(); ++team) {
    const std::vector<Extent>& borders = borders_[team];
    const Walk& whole = plan_.walks()[team];
    Walk w = whole;
    w.base = positions;
    if (segment + 1 >= static_cast<int>(borders.size())) {
      w.rows = w.steps = 0;
    } else {
      const Extent begin = borders[segment + 1], end = borders[segment];
      w.first = begin;
      w.steps = end - begin;
      if (whole.active) {
        if (begin) w.rows = whole.active[begin];
        w.active += begin;
      }
      if (whole.offset) {  // positions stay those of the whole walk, as time and reset want them
        w.offset += begin;
        w.base -= *w.offset;
      }
      positions += offset(whole, end) - offset(whole, begin);
    }
    walks.push_back(w);
  }
  return walks;
}

template <class T>
void forward_in_segments(Lease& lease, Forward<T> call, const Segments& segments,
                         const Borders<T>& borders) {
  const Kernels<T>& kernels = kernels_of<T>();
  Layer<T>& l = call.layer;
  const Extent hidden = borders.hidden_size, cell = borders.cell_size;
  if (!cell) call.cell = nullptr;
  // The final states are the running ones: a row that has come to its end is not touched again.
  copy_or_clear(l.hidden0, hidden, call.hidden);
  copy_or_clear(l.cell0, cell, call.cell);
  l.hidden0 = call.hidden;
  l.cell0 = call.cell;
  for (int segment = segments.count(); segment-- > 0;) {
    std::copy_n(call.hidden, hidden, borders.hidden(segment));
    if (call.cell) std::copy_n(call.cell, cell, borders.cell(segment));
    const std::vector<Walk> walks = segments.walks(segment);
    l.walks = walks.data();
    lease.run(l.teams * l.members, [&](int share) { kernels.forward(&call, share); });
  }
}

template <class T>
void backward_in_segments(Lease& lease, Backward<T> call, const Weights<T>& weights,
                          Extent forward_chunk, const Segments& segments,
                          const Borders<T>& borders) {
  const Kernels<T>& kernels = kernels_of<T>();
  Layer<T>& l = call.layer;
  const int shares = l.teams * l.members;
  Block memory;
  Forward<T> again = forward_again(lease, l, weights, forward_chunk, segments, borders, memory);
  l.gates = again.layer.gates;
  l.cells = again.layer.cells;
  // The initial states' gradients are the running ones; a row's begins with its final state's.
  copy_or_clear(call.d_hidden, borders.hidden_size, call.d_hidden0);
  if (borders.has_cell()) copy_or_clear(call.d_cell, borders.cell_size, call.d_cell0);
  call.d_hidden = call.d_hidden0;
  call.d_cell = call.d_cell0;
  for (int segment = 0; segment < segments.count(); ++segment) {
    const std::vector<Walk> walks = segments.walks(segment);
    l.walks = again.layer.walks = walks.data();
    l.hidden0 = again.layer.hidden0 = borders.hidden(segment);
    l.cell0 = again.layer.cell0 = borders.cell(segment);
    lease.run(shares, [&](int share) { kernels.forward(&again, share); });
    lease.run(shares, [&](int share) { kernels.backward(&call, share); });
    call.go_on = true;
  }
}

#define RELEMBRA_INSTANTIATE(T)                                                                   \
  template void forward_in_segments(Lease&, Forward<T>, const Segments&, const Borders<T>&);      \
  template void backward_in_segments(Lease&, Backward<T>, const Weights<T>&, Extent,              \
                                     const Segments&, const Borders<T>&);
RELEMBRA_INSTANTIATE(float)
RELEMBRA_INSTANTIATE(double)
#undef RELEMBRA_INSTANTIATE

}  // namespace relembra
