// How this library was built: what `relembra doctor` prints and the freshness test compares.
#pragma once

#define RELEMBRA_TEXT_(x) #x
#define RELEMBRA_TEXT(x) RELEMBRA_TEXT_(x)

namespace relembra {

// SHA-256 over the names and contents of all sources in native/; written by digest.cmake.
const char* source_digest();

constexpr const char* compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#elif defined(_MSC_VER)
  return "MSVC " RELEMBRA_TEXT(_MSC_VER);
#else
  return "unknown";
#endif
}

constexpr const char* standard() {
#if __cplusplus > 202002L
  return "C++23";
#else
  return "C++20";
#endif
}

}  // namespace relembra
