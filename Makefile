# Two commands: `make run` and `make test`. Each is complete on a fresh Debian 12 with Rust and root (or sudo).

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# What a build needs; the lab's own packages (QEMU, busybox, ...) are installed by xtask when it needs them.
BUILD_PACKAGES := gcc libc6-dev
TEST_PACKAGES := $(BUILD_PACKAGES) g++ acpica-tools e2fsprogs iproute2 erofs-utils tmux xz-utils
FUZZ_SECONDS ?= 10

.PHONY: run test unit lab-test fuzz check packages test-packages

## Boot a stock Debian kernel to a program that prints `uname -a`, the boot time and the exits.
run: packages
	cargo build --release --package illico
	cargo xtask hello

## Everything: unit and property tests, the probe guest on this host's KVM, machines in the lab, fuzzing.
test: test-packages unit lab-test fuzz

unit:
	cargo nextest run --no-fail-fast
	cargo test --quiet --manifest-path guest/probe/Cargo.toml --workspace
	cargo nextest run --no-fail-fast --manifest-path guest/init/Cargo.toml

lab-test:
	cargo build --release --package illico
	cargo nextest run --package illico-tests --no-fail-fast

fuzz:
	fuzz/run $(FUZZ_SECONDS)

## What CI asks before it tests.
check:
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	cd guest/probe && cargo fmt --check && cargo clippy --workspace --all-targets -- -D warnings
	cd guest/init && cargo fmt --check && cargo clippy --all-targets -- -D warnings

packages:
	@$(call install,$(BUILD_PACKAGES))

test-packages: 
	@$(call install,$(TEST_PACKAGES))
	@command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest

define install
missing="$$(for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done)"; \
if [ -n "$$missing" ]; then \
    echo "installing Debian packages:" $$missing; \
    $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends $$missing; \
fi
endef
