#include "plan.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

namespace relembra {

Plan::Plan(const Batch& batch, bool reverse, int teams) : teams_(teams), barriers_(teams) {
  constexpr Extent most = std::numeric_limits<std::int32_t>::max();
  if (batch.rows > most || batch.steps > most)
    throw std::length_error("the native core counts rows and steps up to " + std::to_string(most));
  lay_out(batch, reverse, teams);
  for (Team& team : teams_) {
    Walk w{};
    w.rows = static_cast<Extent>(team.row.size());
    w.steps = team.count.empty() ? 0 : team.count.front();
    w.batch_steps = batch.steps;
    w.reverse = reverse;
    w.row = team.row.data();
    w.count = team.count.data();
    w.active = team.active.empty() ? nullptr : team.active.data();
    w.offset = team.offset.empty() ? nullptr : team.offset.data();
    w.time = team.time.empty() ? nullptr : team.time.data();
    w.reset = team.reset.empty() ? nullptr : team.reset.data();
    w.cleared = team.cleared.empty() ? nullptr : team.cleared.data();
    w.base = positions_;
    positions_ += std::accumulate(team.count.begin(), team.count.end(), Extent{0});
    walks_.push_back(w);
  }
}

// The steps that a row takes, in the order of the walk. A reset that falls on steps not taken
// clears the state before the next step that is.
Plan::Path Plan::path_of(const Batch& batch, Extent row, bool reverse) const {
  Path path;
  const Extent length = batch.lengths ? batch.lengths[row] : batch.steps;
  bool pending = false;
  for (Extent i = 0; i < length; ++i) {
    const Extent t = reverse ? length - 1 - i : i;
    // Forward, a segment begins before step t; in reverse it ends after step t was taken, hence
    // the state is cleared on the way from t + 1 to t.
    const Extent at = reverse ? t + 1 : t;
    if (batch.reset && at < length && batch.reset[row * batch.steps + at]) pending = true;
    if (batch.mask && !batch.mask[row * batch.steps + t]) continue;
    path.time.push_back(static_cast<std::int32_t>(t));
    path.reset.push_back(pending);
    pending = false;
  }
  path.cleared = pending;
  return path;
}

void Plan::lay_out(const Batch& batch, bool reverse, int teams) {
  const bool paths_wanted = batch.mask || batch.reset;
  std::vector<Path> paths;
  std::vector<std::int32_t> counts(batch.rows, static_cast<std::int32_t>(batch.steps));
  for (Extent row = 0; row < batch.rows; ++row) {
    if (paths_wanted) {
      paths.push_back(path_of(batch, row, reverse));
      counts[row] = static_cast<std::int32_t>(paths.back().time.size());
    } else if (batch.lengths) {
      counts[row] = static_cast<std::int32_t>(batch.lengths[row]);
    }
    dense_ = dense_ && counts[row] == batch.steps;
  }
  std::vector<std::int32_t> order(batch.rows);
  std::iota(order.begin(), order.end(), 0);
  if (!dense_)
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int32_t a, std::int32_t b) { return counts[a] > counts[b]; });
  // Ragged rows are dealt out like cards, back and forth, so that all teams have as much to do.
  // Else each team has neighbours.
  for (Extent i = 0; i < batch.rows; ++i) {
    const Extent round = i / teams, place = i % teams;
    const Extent dealt = round % 2 ? teams - 1 - place : place;
    const Extent team = dense_ ? i * teams / batch.rows : dealt;
    teams_[team].row.push_back(order[i]);
    teams_[team].count.push_back(counts[order[i]]);
  }
  if (dense_ && !paths_wanted) return;
  for (Team& team : teams_) {
    const Extent steps = team.count.empty() ? 0 : team.count.front();
    Extent moving = static_cast<Extent>(team.row.size());
    team.offset.push_back(0);
    for (Extent s = 0; s < steps; ++s) {
      while (moving > 0 && team.count[moving - 1] <= s) --moving;
      team.active.push_back(static_cast<std::int32_t>(moving));
      team.offset.push_back(team.offset.back() + moving);
      if (!paths_wanted) continue;
      for (Extent r = 0; r < moving; ++r) {
        const Path& path = paths[team.row[r]];
        team.time.push_back(path.time[s]);
        if (batch.reset) team.reset.push_back(path.reset[s]);
      }
    }
    if (batch.reset)
      for (const std::int32_t row : team.row) team.cleared.push_back(paths[row].cleared);
  }
}

template <class T> void Plan::clear_unvisited(int team, Sequence<T> y, Extent width) const {
  if (dense_) return;
  const Walk& w = walks_[team];
  std::vector<bool> visited;
  for (Extent r = 0; r < w.rows; ++r) {
    if (w.time) {
      visited.assign(w.batch_steps, false);
      for (Extent s = 0; s < w.count[r]; ++s) visited[w.time[w.offset[s] + r]] = true;
    }
    for (Extent t = w.time ? 0 : w.count[r]; t < w.batch_steps; ++t)
      if (!w.time || !visited[t])
        std::fill_n(y.data + w.row[r] * y.row + t * y.time, width, T(0));
  }
}

template void Plan::clear_unvisited(int, Sequence<float>, Extent) const;
template void Plan::clear_unvisited(int, Sequence<double>, Extent) const;

}  // namespace relembra
