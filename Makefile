# nvad: build, test and try. `make help` lists the targets.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X github.com/nvad/nvad/pkg/telemetry.version=$(VERSION)
# gRPC's request traces draw HTML; the reflection in it keeps every method of
# every type in the binary: 24 MB instead of 17. net/http's HTTP/2 is for none of
# what is served or asked over HTTP; gRPC has its own.
TAGS     := grpcnotrace,nethttpomithttp2
# The programs and the tests are compiled alike, so that packages are compiled once, and once
# more for the race detector, which needs cgo.
FLAGS     := -trimpath -tags $(TAGS)
GO_STATIC := $(if $(findstring -race,$(GOFLAGS)),,CGO_ENABLED=0) $(GO)
SCENARIO ?= two-hubs
COUNT    ?= 1
N        ?= 50
FRR      ?= 8
SEED     ?= 1

# Tests that make network namespaces need root. As another user, only the test
# binaries run under sudo; compiling does not. In CI a test fails for which the machine
# lacks something; elsewhere it is not run, and NOT_RUN has its name and the reason.
ifeq ($(shell id -u),0)
SUDO :=
else
SUDO := sudo
endif
REQUIRED  := $(if $(CI)$(filter 1,$(NVAD_REQUIRE_ROOT)),1)
NOT_RUN   := $(CURDIR)/bin/test/not-run
# A program under the race detector sleeps a second at its end, unless GORACE says otherwise.
GORACE    := atexit_sleep_ms=0 suppressions=$(CURDIR)/pkg/speaker/gobgp/testdata/races-in-gobgp
AS_ROOT   := $(SUDO) env PATH=$(PATH):/usr/sbin:/sbin HOME=$(HOME) "GORACE=$(GORACE)" \
             NVAD_REQUIRE_ROOT=$(REQUIRED) NVAD_NOT_RUN=$(NOT_RUN)
ROOT_EXEC := -exec '$(AS_ROOT)'

# What the namespace tests start is built once, not by each package.
PROGRAMS   := $(CURDIR)/bin/test
BUILT_EXEC := -exec '$(AS_ROOT) NVAD_PROGRAMS=$(PROGRAMS)'

# Tests that measure, and so run alone, in test-long. The others mostly wait for
# the timers of FRR and BIRD: five packages run at a time, those that take longest
# first, so that none is left over at the end.
ALONE := arm64|bench|failover|hostile|release
FIRST := scenarios twohubs interop bfd service boot web differential container
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)

# Packages whose code or tests use several goroutines run under the race detector, but
# for the tests that measure memory: the detector's own would be measured. Races
# within GoBGP are known and left out. pkg/azure/arm asks one thing after the other, and
# only the servers of its tests have goroutines: huge answers take them a minute under
# the detector.
RACING    = $(filter-out pkg/azure/arm/,$(sort $(dir $(shell grep -lrE --include='*.go' '^[[:space:]]*go [a-z]|"sync"|"sync/atomic"|t\.Parallel\(\)' cmd pkg))))
RACE     := $(if $(shell command -v gcc)$(REQUIRED),-race)
# Most of them wait more than they work: three packages at a time, the longest first,
# and the others beside them.
LONGEST  := pkg/speaker/gobgp/ pkg/bfd/
MEASURES := Octets|LongPaths|MemoryIsGivenBack
ALL       = $(sort $(dir $(wildcard $(addsuffix /*_test.go,$(shell find cmd pkg -type d)))))
MEASURED  = $(sort $(dir $(shell grep -lrE --include='*_test.go' '^func Test\w*($(MEASURES))' $(RACING))))

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/nvad, bin/nvactl and bin/azure (the lab)
	$(GO_STATIC) build $(FLAGS) -ldflags '$(LDFLAGS)' -o bin/ ./cmd/nvad ./cmd/nvactl ./integration/lab/cmd/azure

DIST        ?= dist
DEB_VERSION ?= $(shell packaging/version.sh)
# ARCHES are the architectures of a release; ARCH is the one to package.
ARCHES      := amd64 arm64
ARCH        ?= $(shell $(GO) env GOARCH)
DEB         := $(DIST)/deb/$(ARCH)
# The dates of all that is packaged: the same commit gives the same bytes.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
PACKAGE     = $(DIST)/nvad_$(DEB_VERSION)_$(ARCH)

# Tools written in Go have a module of their own: its go.sum holds them, and all
# that they are made of, to what was reviewed, and none of it becomes nvad's.
TOOLS := packaging/tools/go.mod
TOOL  := CGO_ENABLED=0 GOARCH= GOFLAGS=-trimpath $(GO) tool -modfile=$(TOOLS)

.PHONY: deb
deb: sbom ## build the Debian package, dist/nvad_VERSION_ARCH.deb, and its SBOM; ARCH=arm64 or amd64 for another machine
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) GOARCH= $(GO_STATIC) run $(FLAGS) ./packaging/docs -package $(DEB)
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) DEB_VERSION=$(DEB_VERSION) NVAD_ARCH=$(ARCH) NVAD_DIST=$(DEB) \
		$(TOOL) nfpm package --config packaging/nfpm.yaml --packager deb --target $(PACKAGE).deb

# FRESH=1 takes nothing from Go's cache of compiled packages.
.PHONY: debs
debs: ## build the Debian packages of all architectures; FRESH=1 compiles everything anew, to compare with a release
	@for arch in $(ARCHES); do $(MAKE) --no-print-directory deb ARCH=$$arch || exit; done

# It is read out of the programs, so it lists what the linker took and no more.
.PHONY: sbom
sbom: ## build what is packaged, and write what it is made of (CycloneDX), dist/nvad_VERSION_ARCH.PROGRAM.cdx.json
	GOARCH=$(ARCH) $(GO_STATIC) build $(FLAGS) $(if $(FRESH),-a) -buildvcs=false -ldflags '$(LDFLAGS)' -o $(DEB)/bin/ ./cmd/nvad ./cmd/nvactl
	for program in nvad nvactl; do \
		$(TOOL) cyclonedx-gomod bin -json -std -noserial -notimestamp -version $(DEB_VERSION) \
			-output $(PACKAGE).$$program.cdx.json $(DEB)/bin/$$program || exit; \
	done

# The image is for these architectures.
IMAGE_ARCHES ?= $(ARCHES)
IMAGE        := $(DIST)/image
COMMA        := ,

.PHONY: image
image: ## build the container image without a daemon: dist/nvad_VERSION_ARCH.image.tar, and an OCI layout of all architectures
	for arch in $(IMAGE_ARCHES); do \
		GOARCH=$$arch $(GO_STATIC) build $(FLAGS) -buildvcs=false -ldflags '$(LDFLAGS)' -o $(IMAGE)/$$arch/ ./cmd/nvad ./cmd/nvactl || exit; \
	done
	CGO_ENABLED=0 GOFLAGS=-trimpath SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(GO) run -C packaging/tools ./image -version $(DEB_VERSION) \
		-programs $(abspath $(IMAGE)) -out $(abspath $(DIST)) -arch $(subst $(SPACE),$(COMMA),$(strip $(IMAGE_ARCHES)))

# An archive of the same files has the same bytes.
ARCHIVE := tar --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX

.PHONY: manual
manual: ## pack the man pages, dist/nvad_VERSION_man.tar.gz
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) GOARCH= $(GO_STATIC) run $(FLAGS) ./packaging/docs -package $(DIST)/deb/manual
	$(ARCHIVE) -C $(DIST)/deb/manual -c man | gzip -n9 >$(DIST)/nvad_$(DEB_VERSION)_man.tar.gz

# Each prerequisite writes files of a release to DIST; packaging/release.sh adds their checksums.
.PHONY: release-artefacts
release-artefacts: debs image manual
	$(ARCHIVE) -C $(DIST)/nvad_$(DEB_VERSION).oci -cf $(DIST)/nvad_$(DEB_VERSION).oci.tar .
	rm -r $(DIST)/nvad_$(DEB_VERSION).oci $(IMAGE) $(DIST)/deb

.PHONY: release
release: ## build, sign and tag VERSION=0.1.0 with KEY=FINGERPRINT, dist/release: see CONTRIBUTING.md
	@packaging/release.sh "$(VERSION)" "$(KEY)" $(DIST)/release

.PHONY: release-dry-run
release-dry-run: ## build what a release of this tree would consist of, dist/release-dry-run; sets no tag
	@packaging/release.sh --dry-run "$(VERSION)" $(DIST)/release-dry-run

# DEBS are the packages of the repository: this release, and older ones that stay available.
DEBS ?= $(wildcard $(DIST)/release/*.deb)

.PHONY: apt-repo
apt-repo: ## sign an apt repository of DEBS, by default of dist/release, with KEY=FINGERPRINT: dist/apt
	@packaging/apt-repo.sh "$(KEY)" $(DIST)/apt $(DEBS)

.PHONY: vuln
vuln: ## look for known vulnerabilities, in the database https://vuln.go.dev or a copy of it, VULNDB=DIR
	TAGS=$(TAGS) VULNDB=$(VULNDB) packaging/vuln.sh

.PHONY: docs
docs: ## write the references of commands and keys, docs/cli.md and docs/reference.md
	$(GO_STATIC) run $(FLAGS) ./packaging/docs -markdown docs/cli.md -keys docs/reference.md

.PHONY: setup
setup: ## check what the lab needs; Debian packages that are missing are named and, if you agree, installed
	@./integration/setup.sh demo

.PHONY: setup-test
setup-test: ## the same of what the tests need
	@./integration/setup.sh test

.PHONY: setup-undo
setup-undo: ## remove the packages that setup installed, and the tests' cache, ~/.cache/nvad-machine
	@./integration/setup.sh undo

.PHONY: demo
demo: setup build ## bring up two hubs, show that they talk, leave them running; DEMO=--no-web serves no page
	@$(AS_ROOT) bin/azure demo $(DEMO)

.PHONY: lab
lab: setup build ## bring up SCENARIO (default two-hubs), show it and leave it running
	@$(AS_ROOT) bin/azure up --replace $(SCENARIO) && $(AS_ROOT) bin/azure show

.PHONY: lab-down
lab-down: ## take the lab down
	@$(AS_ROOT) bin/azure down

.PHONY: test
test: setup-test lint test-unit test-root ## everything: unit tests with the race detector, then the namespace tests
	@$(REPORT)

# REPORT names the tests that were not run, and why.
REPORT := ! [ -s $(NOT_RUN) ] || { echo "not run, as this machine lacks something (make setup-test):"; sort $(NOT_RUN) | sed 's/^/  /'; }

.PHONY: test-unit unit-racing unit-others
test-unit: ## unit tests, with the race detector where it can find something; as root they include the real kernel's
	@[ -n "$(RACE)" ] || echo "not run: the race detector, which needs gcc (make setup-test)"
	@$(MAKE) --no-print-directory -j 2 unit-racing unit-others

unit-racing:
	$(GO) test $(RACE) -count=$(COUNT) -p 3 -parallel 8 -skip '$(MEASURES)' $(ROOT_EXEC) $(addprefix ./,$(LONGEST) $(filter-out $(LONGEST),$(RACING)))

unit-others:
	$(GO_STATIC) test $(FLAGS) -count=$(COUNT) $(ROOT_EXEC) $(addprefix ./,$(filter-out $(RACING),$(ALL)))
	$(GO_STATIC) test $(FLAGS) -count=$(COUNT) -run '$(MEASURES)' $(ROOT_EXEC) $(addprefix ./,$(MEASURED))

# QEMU's user mode lacks netfilter, rules, next-hop objects and forwarding entries (pkg/kernel,
# pkg/dataplane), TCP-MD5 (pkg/speaker/gobgp), threads of another user (pkg/api) and filters of
# sockets (pkg/bfd); it shows another program as the holder of a port (pkg/listen). For
# pkg/azure/arm, it takes too long.
NOT_ARM64 := pkg/api/ pkg/azure/arm/ pkg/bfd/ pkg/dataplane/ pkg/kernel/ pkg/listen/ pkg/speaker/gobgp/
UNITS      = $(filter-out $(NOT_ARM64) pkg/,$(ALL))
# These encode and decode, and share memory between goroutines: test-long runs them for arm64.
CORE      := pkg/engine/ pkg/fib/ pkg/nat/ pkg/nic/ pkg/rib/ pkg/route/ pkg/speaker/wire/ pkg/tunnel/ pkg/wireguard/

.PHONY: test-arm64
test-arm64: ## unit tests built for arm64, under an emulator, as far as that has the system calls
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test $(FLAGS) -count=$(COUNT) -p 2 -timeout 15m -skip '$(MEASURES)' -exec '$(AS_ROOT) qemu-aarch64' \
		$(addprefix ./,$(UNITS))

.PHONY: test-programs
test-programs:
	@rm -f $(NOT_RUN)
	$(GO_STATIC) build $(FLAGS) -buildvcs=false -o $(PROGRAMS)/ ./cmd/nvad ./cmd/nvactl ./integration/lab/cmd/azure

.PHONY: test-root
test-root: test-programs ## namespace tests against FRR, BIRD and the emulated Azure
	$(GO_STATIC) test $(FLAGS) -count=$(COUNT) -p 5 -parallel 4 -timeout 15m $(BUILT_EXEC) $(addprefix ./integration/,$(FIRST)) \
		$$($(GO) list ./integration/... | grep -vE '/integration/($(ALONE)|$(subst $(SPACE),|,$(FIRST))$$)')

.PHONY: test-long
test-long: setup-test test-programs ## what measures and so runs alone: attacks, outages, speed; and releases, and arm64
	$(GO_STATIC) test $(FLAGS) -count=$(COUNT) -p 1 -timeout 15m $(BUILT_EXEC) $$($(GO) list ./integration/... | grep -E '/integration/($(ALONE))')
	@$(MAKE) --no-print-directory test-arm64 UNITS='$(CORE)'

.PHONY: test-rivals
test-rivals: setup-test test-programs ## all tests of sessions, BFD and policies with each version of FRR and BIRD; test runs a part with the newer ones
	$(GO) test -count=1 -p 1 -timeout 30m -exec '$(AS_ROOT) NVAD_RIVALS=all NVAD_PROGRAMS=$(PROGRAMS)' \
		./integration/rivals ./integration/interop ./integration/bfd ./integration/differential

.PHONY: hostile
hostile: setup-test ## attack nvad for longer than test-long does, with the figures of docs/security.md; GOFLAGS=-race too
	$(AS_ROOT) NVAD_HOSTILE_LONG=1 GOFLAGS=$(GOFLAGS) $(GO) test -v -count=1 -timeout 60m ./integration/hostile $(HOSTILE)

.PHONY: differential
differential: ## hold nvad against FRR, 8 or 10 as FRR says, in N random cases, from SEED on
	$(GO) test -v -count=1 -timeout 24h $(ROOT_EXEC) ./integration/differential -run Differential -frr frr$(FRR) -cases $(N) -seed $(SEED)

.PHONY: lint
lint: ## formatting and go vet
	@files=$$(gofmt -l cmd pkg integration packaging) && [ -z "$$files" ] || { echo "gofmt: $$files"; exit 1; }
	$(GO_STATIC) vet $(FLAGS) ./...

# ALL_RIVALS are those of integration/rivals.
ALL_RIVALS := bird2.0,bird2.17,bird3.1,frr8.4,frr10.3

# RIVALS are the versions of FRR and BIRD to measure nvad beside, all of integration/rivals
# unless it is set. BENCH are other flags of the bench: see `bin/bench -h`.
.PHONY: bench
bench: setup-test build ## measure nvad beside FRR and BIRD; RIVALS=frr8,frr10,bird2,bird3 BENCH="-sizes 1000 -rounds 3"
	$(GO) build -trimpath -o bin/ ./integration/bench/cmd/bench
	@$(AS_ROOT) bin/bench -out dist/bench $(if $(RIVALS),-rivals $(RIVALS)) $(BENCH)

# FAILOVER are flags of the measurement: see integration/failover.
.PHONY: bench-failover
bench-failover: setup-test ## measure outages of nvad, FRR and BIRD; RIVALS=frr10,bird3 FAILOVER="-routes 1000,100000 -rounds 3"
	@mkdir -p dist/bench
	$(GO) test ./integration/failover -run 'Outages|ColdStart' -count=1 -v -timeout 3h $(ROOT_EXEC) \
		-args -daemons nvad,$(or $(RIVALS),$(ALL_RIVALS)) -json $(CURDIR)/dist/bench/failover.json $(FAILOVER)

.PHONY: restart
restart: setup-test ## restart nvad, and kill it N times (default 10), under traffic both ways
	$(GO) test ./integration/failover -run 'Restart|Kill|RouteServer' -count=1 -v -timeout 3h $(ROOT_EXEC) -args -kills $(or $(N),10)

.PHONY: bench-bfd
bench-bfd: setup-test ## hold BFD, 300 ms x 3, with FRR and BIRD through HOLD routes (default 1000000) on busy cores
	$(GO) test ./integration/failover -run BFDHolds -count=1 -v -timeout 3h $(ROOT_EXEC) -args -hold-routes $(or $(HOLD),1000000)

# TUNNEL are flags of the measurement: see integration/bench/tunnels.
.PHONY: bench-tunnel
bench-tunnel: setup-test ## measure plain VXLAN, WireGuard and VXLAN in WireGuard beside each other; TUNNEL="-rounds 5 -time 5s"
	$(GO) test ./integration/bench/tunnels -count=1 -v -timeout 1h $(ROOT_EXEC) -args $(or $(TUNNEL),-rounds 5 -time 5s)

.PHONY: screenshots
screenshots: setup-test ## take the pictures of nvactl web's page that the docs show, docs/images
	$(GO) test ./integration/web -run WatchALinkFail -count=1 $(ROOT_EXEC) -args -images $(CURDIR)/docs/images

MICRO = $(GO) test -run '^$$' -bench . -benchmem -count 6 ./pkg/...

.PHONY: bench-micro
bench-micro: ## micro-benchmarks of the hot paths; their output is the baseline of bench-compare
	@mkdir -p dist/bench
	$(MICRO) | tee dist/bench/baseline.txt

.PHONY: bench-compare
bench-compare: ## micro-benchmarks beside the baseline that bench-micro saved
	@test -f dist/bench/baseline.txt || { echo "run make bench-micro on the baseline first"; exit 1; }
	$(MICRO) >dist/bench/now.txt
	$(TOOL) benchstat dist/bench/baseline.txt dist/bench/now.txt

.PHONY: proto
proto: ## generate the gRPC code again (needs protoc)
	$(GO) build -modfile=$(TOOLS) -o bin/tools/ google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
	PATH=$(CURDIR)/bin/tools:$(PATH) $(GO) generate ./proto/...

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
