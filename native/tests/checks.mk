# The native core without Python: native/tests/sanitize.cpp with all that it calls, in variants.
#
#   make sanitize         under ASan + UBSan and under TSan, over the instruction sets in ISA
#   make conformance-isa  the conformance suite, exactness and mathematics over the same sets
#   make neon             for 64-bit ARM, run by an emulator; needs
#                         apt-get install g++-aarch64-linux-gnu qemu-user
#   make clang            by clang++, warnings being errors; needs apt-get install clang
#   make disassembly      no stores to the stack inside the products' inner loops; needs objdump

# The sets that this processor can run, of those compiled in.
ISA ?= baseline $(if $(shell grep -w avx2 /proc/cpuinfo),avx2) \
       $(if $(shell grep -w avx512dq /proc/cpuinfo),avx512)
SETS_x86 := baseline avx2 avx512
# As in native/CMakeLists.txt.
FLAGS_baseline :=
FLAGS_avx2 := -mavx2 -mfma
FLAGS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512

# The kernels take minutes under a sanitizer, and include none of the others' sources.
KERNEL_FILES := native/kernels.cpp $(wildcard native/*.hpp)
CORE := $(filter-out %module.cpp native/kernels.cpp,$(wildcard native/*.cpp))

# variant, compiler with its flags, flags of the kernels alone, instruction sets
define CHECK
build/check-$(1)/kernels-%.o: $$(KERNEL_FILES)
	@mkdir -p $$(@D)
	$(2) -std=c++20 -O1 -g -ffp-contract=off $(3) $$(FLAGS_$$*) -DRELEMBRA_ISA=$$* \
	  -c native/kernels.cpp -o $$@
build/check-$(1)/check: $(4:%=build/check-$(1)/kernels-%.o) $$(NATIVE)
	$(2) -std=c++20 -O1 -g -Wall -Wextra $(4:%=-DRELEMBRA_HAS_%) native/tests/sanitize.cpp $$(CORE) \
	  $$(filter %.o,$$^) -pthread -o $$@
endef

# Memory of the core itself is checked by ASan; TSan sees it as it is in use, kept and shared.
ADDRESS := -fsanitize=address,undefined -fno-sanitize-recover=all -DRELEMBRA_CHECKED_MEMORY
$(eval $(call CHECK,address,$(CXX) $(ADDRESS),-w,$(SETS_x86)))
$(eval $(call CHECK,thread,$(CXX) -fsanitize=thread,-w,$(SETS_x86)))
$(eval $(call CHECK,neon,aarch64-linux-gnu-g++ -static -DRELEMBRA_CHECKED_MEMORY,-Wall -Wextra,baseline))
$(eval $(call CHECK,clang,clang++ -Werror,-Wall -Wextra,$(SETS_x86)))

.PHONY: sanitize neon clang disassembly conformance-isa

ROUNDS ?= 60
sanitize: build/check-address/check build/check-thread/check
	for isa in $(ISA); do echo "$$isa, ASan + UBSan"; \
	  RELEMBRA_ISA=$$isa build/check-address/check $(ROUNDS) || exit 1; done
	for isa in $(ISA); do echo "$$isa, TSan"; \
	  RELEMBRA_ISA=$$isa build/check-thread/check $(ROUNDS) no-fork || exit 1; done

# In a fork beside other threads QEMU 7 fails an assertion of its own.
neon: build/check-neon/check
	qemu-aarch64 $< $(ROUNDS) no-fork

clang: build/check-clang/check
	for isa in $(ISA); do RELEMBRA_ISA=$$isa $< $(ROUNDS) || exit 1; done

conformance-isa: build
	for isa in $(ISA); do echo "$$isa"; OMP_NUM_THREADS=1 RELEMBRA_ISA=$$isa $(BIN)/python -m pytest \
	  -n $(TEST_PROCESSES) -q tests/conformance tests/native/test_exactness.py \
	  tests/native/test_mathematics.py || exit 1; done

disassembly: build
	$(BIN)/python -m benchmarks.engine.spills
