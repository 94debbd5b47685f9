# Mend: one word for each thing you do. `make help` explains them.
BUILD   ?= build
JOBS    ?= $(shell nproc)
ONLY    ?=
PRESET  ?= release
CMAKE_FLAGS ?=
CALLGRIND_FLAGS ?=

.DEFAULT_GOAL := all
.PHONY: all help deps deps-arm demo eval finetune-check train-data test test-arm test-memory bench bench-compare callgrind callgrind-record format format-check test-gpu-sim gpu-verify gpu-budget-record asan fuzz coverage docs install clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

all: ## build the program and the library (build/mend)
	@cmake --preset $(PRESET) $(CMAKE_FLAGS) > $(BUILD)-configure.log 2>&1 || { cat $(BUILD)-configure.log; echo "mend: configuring failed; 'make deps' installs what is missing"; exit 1; }
	@rm -f $(BUILD)-configure.log
	@cmake --build $(BUILD) -j $(JOBS) --target mend

deps: ## install what the build needs (Debian, Ubuntu); prints the line to run if it may not
	@tools/install_dependencies.sh

demo: all ## spoil and restore the sample picture, with metrics; PHOTO=picture restores one of yours
	@tools/demo.sh $(BUILD)/mend "$(PHOTO)"

eval: all ## measure the program's own weights; IMAGES=folder of Set5, CBSD68_20, classic5, Kodak_6
	@tools/evaluate.py $(BUILD)/mend "$(or $(IMAGES),../shared/images)" $(if $(ONLY),--only $(ONLY))

finetune-check: all ## fine-tune a published checkpoint on ten pictures for MINUTES=5 and measure three others
	@tools/finetune_check.py $(BUILD)/mend "$(or $(IMAGES),../shared/images)" "$(or $(WEIGHTS),../shared/weights)" --minutes $(or $(MINUTES),5)

train-data: ## fetch the photographs of the default weights into train-data (Debian packages, 220 MB)
	@tools/fetch_training_pictures.sh train-data

test: ## build and run all tests; ONLY=conv2d picks those with the name
	@cmake --preset $(PRESET) -DMEND_TESTS=ON -DMEND_BENCH=OFF $(CMAKE_FLAGS) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure $(if $(ONLY),-R $(ONLY))

bench: ## time every kernel of the ladders; ONLY=conv2d picks those with the name
	@cmake --preset $(PRESET) -DMEND_BENCH=ON $(CMAKE_FLAGS) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target mend_bench_kernels
	@$(BUILD)/bench/mend_bench_kernels $(if $(ONLY),--benchmark_filter=$(ONLY))

bench-compare: ## our convolutions and oneDNN's, in turn, with ratios; ONLY=64to64 picks those with the name
	@cmake --preset $(PRESET) -DMEND_BENCH=ON $(CMAKE_FLAGS) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target mend_bench_onednn
	@$(BUILD)/bench/mend_bench_onednn $(ONLY)

callgrind: ## count the instructions of the main kernels; fails if they grew by 3% over bench/baseline.json
	@cmake --preset $(PRESET) -DMEND_BENCH=ON $(CMAKE_FLAGS) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target mend_callgrind
	@tools/callgrind.py $(BUILD)/bench/mend_callgrind $(CALLGRIND_FLAGS)

callgrind-record: ## write bench/baseline.json anew
	@$(MAKE) --no-print-directory callgrind CALLGRIND_FLAGS=--record

format: ## format all sources in place
	@git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format -i

format-check: ## fail if a source is not formatted or an include points up between the floors
	@git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format --dry-run -Werror
	@tools/check_includes.py

asan: ## run all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@cmake --preset asan > /dev/null
	@cmake --build build-asan -j $(JOBS)
	@ctest --test-dir build-asan --output-on-failure $(if $(ONLY),-R $(ONLY))

fuzz: ## fuzz every reader of files for SECONDS seconds each (clang); FUZZ_SECONDS=60
	@tools/fuzz.sh $(or $(FUZZ_SECONDS),60)

test-gpu-sim: ## test the CUDA kernels on the simulator of a GPU, and count what they ask of one
	@tools/test_gpu_sim.sh $(PRESET) $(BUILD) $(JOBS) "$(ONLY)"

gpu-verify: ## on a machine with a GPU: tests, compute-sanitizer, times beside cuDNN; writes gpu-report.md and .json
	@cmake --preset $(PRESET) -DMEND_CUDA=ON -DMEND_TESTS=ON -DMEND_BENCH=ON $(CMAKE_FLAGS) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target mend_tests_gpu mend_gpu_times
	@tools/gpu_verify.py $(BUILD) gpu-report

gpu-budget-record: ## write bench/gpu_budget.json anew
	@tools/gpu_budget.py $(BUILD) --record

test-memory: ## the peak memory that `mend explain` predicts, against a run of every network (long)
	@cmake --preset $(PRESET) -DMEND_TESTS=ON $(CMAKE_FLAGS) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target mend_tests_apps
	@$(BUILD)/tests/mend_tests_apps --test-case='full memory*'

deps-arm: ## install what test-arm needs (Debian, as root)
	@tools/install_arm_dependencies.sh

test-arm: ## tests of engine, kernels and layers on NEON: cross-compiled, under qemu-user (make deps-arm)
	@cmake --preset arm > /dev/null
	@cmake --build build-arm -j $(JOBS) --target mend_tests_engine mend_tests_kernels mend_tests_layers
	@ctest --test-dir build-arm --output-on-failure -R '^(engine|kernels|layers)$$' --timeout 3600

coverage: ## line coverage of the tests, as build-coverage/coverage.html
	@cmake --preset coverage > /dev/null
	@cmake --build build-coverage -j $(JOBS)
	@ctest --test-dir build-coverage --output-on-failure
	@gcovr -r . build-coverage --exclude tests --html-details build-coverage/coverage.html --print-summary

docs: all ## measure all networks (minutes, needs the fixtures) and write docs/networks.md
	@tools/update_docs.sh $(BUILD)

install: all ## install program, library, headers and CMake package; PREFIX=/usr/local
	@cmake --install $(BUILD) --prefix $(or $(PREFIX),/usr/local)

clean: ## remove all build folders
	@rm -rf build build-asan build-arm build-coverage build-fuzz build-debug build-cudasim
