# Writes a C++ file that holds the digest of every C++ source under `root`:
# SHA-256 over the lines "<path> <SHA-256 of the file>\n", sorted by path.
file(GLOB_RECURSE sources RELATIVE "${root}" "${root}/*.cpp" "${root}/*.hpp")
list(SORT sources)
set(lines "")
foreach(source IN LISTS sources)
  file(SHA256 "${root}/${source}" digest)
  string(APPEND lines "${source} ${digest}\n")
endforeach()
string(SHA256 digest "${lines}")
file(WRITE "${output}"
  "#include \"build_info.hpp\"\n\nnamespace relembra {\n"
  "const char* source_digest() { return \"${digest}\"; }\n}  // namespace relembra\n")
