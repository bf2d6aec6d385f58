// Which rows walk through which steps, in one direction: lengths, masks and resets made into walks.
#pragma once

#include <cstdint>
#include <vector>

#include "interface.hpp"

namespace relembra {

struct Batch {
  Extent rows, steps;
  const std::int64_t* lengths;  // (rows), or null
  const bool* mask;             // (rows, steps), or null
  const bool* reset;            // (rows, steps), or null
};

// The walks of one direction, one for each team; row by row independent of how many teams.
class Plan {
 public:
  Plan(const Batch& batch, bool reverse, int teams);

  const std::vector<Walk>& walks() const { return walks_; }
  std::vector<Barrier>& barriers() { return barriers_; }
  Extent positions() const { return positions_; }  // of all walks
  bool dense() const { return dense_; }            // every row takes every step

  // Zero what the walks of a team do not visit, `width` features of each step.
  template <class T> void clear_unvisited(int team, Sequence<T> y, Extent width) const;

 private:
  struct Path {  // of one row
    std::vector<std::int32_t> time;
    std::vector<std::uint8_t> reset;
    bool cleared = false;
  };
  Path path_of(const Batch& batch, Extent row, bool reverse) const;
  void lay_out(const Batch& batch, bool reverse, int teams);

  struct Team {
    std::vector<std::int32_t> row, count, active, time;
    std::vector<Extent> offset;
    std::vector<std::uint8_t> reset, cleared;
  };
  std::vector<Team> teams_;
  std::vector<Walk> walks_;
  std::vector<Barrier> barriers_;
  Extent positions_ = 0;
  bool dense_ = true;
};

}  // namespace relembra
