// Memory for what lives as long as a call or a step of training, kept for the next one.
#pragma once

#include <cstddef>

namespace relembra {

// A block of uninitialised memory, aligned to 64 bytes. Given back blocks are kept, because the
// system clears fresh pages, which costs more than filling them; but only so many that little more
// is held than was once in use.
class Block {
 public:
  Block() = default;
  explicit Block(std::size_t bytes);
  Block(void* memory, std::size_t bytes)  // of another owner
      : data_(memory), bytes_(bytes), borrowed_(true) {}
  ~Block();
  Block(Block&& other) noexcept;
  Block& operator=(Block&& other) noexcept;

  template <class T> T* as() const { return static_cast<T*>(data_); }
  std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  bool borrowed_ = false;
};

// Bytes of all blocks in use, the most since `restart_peak`, bytes kept for later blocks; how many
// blocks were ever asked for, and how many of them the system had to give.
struct MemoryUse {
  std::size_t used, peak, kept, blocks, fresh, most;
};
MemoryUse memory_use();
void restart_peak();

template <class T> Block block_of(std::ptrdiff_t elements) {
  return Block(static_cast<std::size_t>(elements) * sizeof(T));
}

// Cuts a block into pieces of whole cache lines.
template <class T> struct Cutter {
  static constexpr std::ptrdiff_t whole(std::ptrdiff_t elements) {
    return (elements + 15) / 16 * 16;
  }
  T* at;
  T* take(std::ptrdiff_t elements) {
    T* p = at;
    at += whole(elements);
    return p;
  }
};

}  // namespace relembra
