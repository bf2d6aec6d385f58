// How the checks compare, and how they end.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace checks {

[[noreturn]] inline void fail(const char* finding, const char* about = "") {
  std::printf("%s %s\n", finding, about);
  std::exit(1);
}

// Bit for bit: NaN equals itself.
template <class T> bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T> T* or_null(std::vector<T>& v) { return v.empty() ? nullptr : v.data(); }
template <class T> const T* or_null(const std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}

}  // namespace checks
