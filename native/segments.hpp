// Recomputation: forward keeps only the states at the borders of segments, and backward computes
// one segment after another again, the last first. No bit differs from keeping everything.
#pragma once

#include <vector>

#include "plan.hpp"
#include "pool.hpp"

namespace relembra {

// The walks of a plan, cut into stretches of at least `steps` steps. The cuts are where backward
// cuts its chunks, so that sums over time are added up in the same order as without segments.
// Segment 0 is the last in time of every team; a team with fewer segments than others has no rows
// in those that it lacks.
class Segments {
 public:
  Segments(const Plan& plan, Extent steps, Extent chunk);

  int count() const { return count_; }
  Extent positions() const { return positions_; }  // of the largest segment, all teams together
  std::vector<Walk> walks(int segment) const;

 private:
  const Plan& plan_;
  std::vector<std::vector<Extent>> borders_;  // (teams) from the last step to 0
  int count_ = 0;
  Extent positions_ = 0;
};

// Where the states before each segment are kept, (B, P) and, where there is a cell state, (B, H).
template <class T> struct Borders {
  T* data;
  Extent hidden_size, cell_size;  // B * P; B * H, or 0

  bool has_cell() const { return cell_size > 0; }
  Extent elements(const Segments& segments) const {
    return segments.count() * (hidden_size + cell_size);
  }
  T* hidden(int segment) const { return data + segment * (hidden_size + cell_size); }
  T* cell(int segment) const { return has_cell() ? hidden(segment) + hidden_size : nullptr; }
};

// `call` is set up for the whole walk, without gates and cells.
template <class T>
void forward_in_segments(Lease& lease, Forward<T> call, const Segments& segments,
                         const Borders<T>& borders);

// The same; `forward_chunk` positions at a time are computed again.
template <class T>
void backward_in_segments(Lease& lease, Backward<T> call, const Weights<T>& weights,
                          Extent forward_chunk, const Segments& segments,
                          const Borders<T>& borders);

}  // namespace relembra
