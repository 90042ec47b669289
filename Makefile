# promkit: everything a person types. CMake and Ninja do the work, in build/.
#
#   make            build the programs into build/bin
#   make demo       the whole set on this machine, in one terminal
#   make check      build and run all tests (installs what it needs with apt)
#   make install    PREFIX=/usr/local DESTDIR=
#
# JOBS=2 limits parallel compilers; DEPS=no skips the look for missing packages.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DESTDIR ?=
DEPS ?= yes
CMAKE = cmake -G Ninja -S . -DCMAKE_INSTALL_PREFIX=$(PREFIX)

.PHONY: all deps configure check test unit asan tsan thread-safety fuzz bench demo install clean layers man-lint help
.DEFAULT_GOAL := all

all: configure
	@ninja -C build -j$(JOBS) programs

help:
	@sed -n '2,9s/^# \{0,1\}//p' Makefile

deps:
	@if [ "$(DEPS)" = yes ]; then scripts/install-deps; fi

configure: deps
	@[ -f build/build.ninja ] || $(CMAKE) -B build -DPROMKIT_TESTS=ON > build.log 2>&1 || { cat build.log; rm -f build.log; exit 1; }; rm -f build.log

# Unit, conformance, fuzz-corpus and end-to-end tests, layers and man pages.
check: configure layers man-lint
	@ninja -C build -j$(JOBS)
	@ctest --test-dir build --output-on-failure -j2
test: check

unit: configure
	@ninja -C build -j$(JOBS) && ctest --test-dir build --output-on-failure -L unit

layers:
	@scripts/check-layers

man-lint: deps
	@scripts/check-man

# The modules that parse outside bytes or share memory, under sanitizers.
asan: deps
	@$(CMAKE) -B build/asan -DPROMKIT_SANITIZE=address,undefined >/dev/null
	@ninja -C build/asan -j$(JOBS) checks
	@ctest --test-dir build/asan --output-on-failure -L 'unit|fuzz|conformance' -j2
tsan: deps
	@$(CMAKE) -B build/tsan -DPROMKIT_SANITIZE=thread >/dev/null
	@ninja -C build/tsan -j$(JOBS) unit_store unit_scrape unit_net
	@ctest --test-dir build/tsan --output-on-failure -R '^unit_(store|scrape|net)$$'

# clang's check of the lock annotations: by hand, since it wants clang (scripts/install-deps --with-clang).
thread-safety: deps
	@JOBS=$(JOBS) scripts/check-locks

# Coverage-guided fuzzing, SECONDS_EACH a target, from the corpora in tests/fuzz.
SECONDS_EACH ?= 60
fuzz: deps
	@CC=clang CXX=clang++ $(CMAKE) -B build/fuzz -DPROMKIT_FUZZ=ON -DPROMKIT_SANITIZE=address,undefined >/dev/null
	@scripts/fuzz build/fuzz $(SECONDS_EACH) $(JOBS)

bench: configure
	@ninja -C build -j$(JOBS)
	@scripts/bench build

demo: all
	@scripts/demo

install: all
	@DESTDIR=$(DESTDIR) cmake --install build --strip --prefix $(PREFIX) >/dev/null && echo "installed under $(DESTDIR)$(PREFIX)"

clean:
	rm -rf build
