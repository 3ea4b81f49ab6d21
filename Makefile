# Two commands: `make run` and `make test`. Each is complete on a fresh Debian 12 with Rust and root (or sudo).

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# What a build needs; the lab's own packages (QEMU, busybox, ...) are installed by xtask when it needs them.
BUILD_PACKAGES := gcc libc6-dev
TEST_PACKAGES := $(BUILD_PACKAGES) g++ acpica-tools e2fsprogs iproute2 erofs-utils tmux xz-utils libarchive-tools python3 prometheus
FUZZ_SECONDS ?= 10

# Where `make install` puts the program, its man pages and its completions; DESTDIR goes before it, for packages.
PREFIX ?= /usr/local
BUILT := $(or $(CARGO_TARGET_DIR),target)/release/illico
INSTALLED := $(DESTDIR)$(PREFIX)

.PHONY: run test unit lab-test fuzz check install uninstall packages test-packages check-tools

## Boot a stock Debian kernel to a program that prints `uname -a`, the boot time and the exits.
run: packages
	cargo build --release --package illico
	cargo xtask hello

## Everything: unit and property tests, the probe guest on this host's KVM, machines in the lab, fuzzing.
test: test-packages unit lab-test fuzz

unit:
	ILLICO_STRESS_SECONDS=120 cargo nextest run --no-fail-fast
	cargo test --quiet --manifest-path guest/probe/Cargo.toml --workspace
	cargo nextest run --no-fail-fast --manifest-path guest/init/Cargo.toml

lab-test:
	cargo build --release --package illico
	cargo nextest run --package illico-tests --no-fail-fast

fuzz:
	fuzz/run $(FUZZ_SECONDS)

## What CI asks before it tests. Advisories are not asked: their database lies in the network (`cargo deny check advisories`).
check: packages check-tools
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	cd guest/probe && cargo fmt --check && cargo clippy --workspace --all-targets -- -D warnings
	cd guest/init && cargo fmt --check && cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps
	cargo deny --log-level error check bans licenses sources

## The program, its man pages and completions below PREFIX.
install: packages
	cargo build --release --package illico
	install -d $(INSTALLED)/bin $(INSTALLED)/share/man/man1 $(INSTALLED)/share/bash-completion/completions \
	    $(INSTALLED)/share/zsh/vendor-completions $(INSTALLED)/share/fish/vendor_completions.d
	install -m 755 $(BUILT) $(INSTALLED)/bin/illico
	$(BUILT) man $(INSTALLED)/share/man/man1
	gzip -9nf $(INSTALLED)/share/man/man1/illico*.1
	$(BUILT) completions bash >$(INSTALLED)/share/bash-completion/completions/illico
	$(BUILT) completions zsh >$(INSTALLED)/share/zsh/vendor-completions/_illico
	$(BUILT) completions fish >$(INSTALLED)/share/fish/vendor_completions.d/illico.fish

uninstall:
	rm -f $(INSTALLED)/bin/illico $(INSTALLED)/share/man/man1/illico.1.gz $(INSTALLED)/share/man/man1/illico-*.1.gz \
	    $(INSTALLED)/share/bash-completion/completions/illico $(INSTALLED)/share/zsh/vendor-completions/_illico \
	    $(INSTALLED)/share/fish/vendor_completions.d/illico.fish

packages:
	@$(call install,$(BUILD_PACKAGES))

test-packages: 
	@$(call install,$(TEST_PACKAGES))
	@command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest

check-tools:
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny

define install
missing="$$(for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done)"; \
if [ -n "$$missing" ]; then \
    echo "installing Debian packages:" $$missing; \
    $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends $$missing; \
fi
endef
