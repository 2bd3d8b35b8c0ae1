# Freshet. Needs Go (see go.mod) and make; everything else is built or installed into this folder.

GO          ?= go
TOOLS       := $(CURDIR)/.tools
STATICCHECK := $(TOOLS)/staticcheck-v0.8.2
ERRCHECK    := $(TOOLS)/errcheck-v1.20.0

# Packages that are tested at once, and the fuzzing time of each target.
PARALLEL    ?= 2
FUZZTIME    ?= 10s

# How often `make crash` crashes each thing.
ROUNDS      ?= 300

# The race detector needs a C compiler; without one the tests run all the same.
RACE        := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

# A release is built with VERSION=1.2.3.
LDFLAGS     := $(if $(VERSION),-X github.com/freshetdb/freshet/internal/node.Version=$(VERSION))

stage = @printf '\n== %s\n' "$(1)"

# The peers of the differential tests; where their tools are missing they are not installed, and their tests skipped.
DIFFERENTIAL := internal/differential
MINGO        := $(DIFFERENTIAL)/mingo/node_modules/.installed
JAVASERVER   := $(DIFFERENTIAL)/mongojavaserver/target/.installed
ICU          := $(DIFFERENTIAL)/icu/target/.installed
COMPARISONS  ?= 100000

.PHONY: build demo test lint unit differential-setup differential bench load load-match peers fuzz crash fmt clean help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

build: ## build bin/freshet
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/freshet .

demo: build ## a week of earthquakes as a live query; KEEP=1 leaves the server running
	@$(GO) build -o bin/demo ./demo
	@bin/demo $(if $(filter-out 0,$(KEEP)),-keep)

test: lint differential-setup unit ## all checks and all tests

lint: $(STATICCHECK) $(ERRCHECK)
	$(call stage,gofmt)
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then printf 'not formatted, run make fmt:\n%s\n' "$$unformatted"; exit 1; fi
	$(call stage,go vet)
	@$(GO) vet ./...
	$(call stage,staticcheck)
	@$(STATICCHECK) ./...
	$(call stage,errcheck)
	@$(ERRCHECK) -ignoretests -exclude .errcheck ./...

unit:
	$(call stage,go test $(RACE))
	@$(GO) test $(RACE) -p $(PARALLEL) -timeout 30m ./...

differential-setup: $(if $(shell command -v npm),$(MINGO)) $(if $(shell command -v mvn),$(JAVASERVER) $(ICU))
	@$(if $(shell command -v npm),,echo 'npm is not installed: no comparison with mingo')
	@$(if $(shell command -v mvn),,echo 'mvn is not installed: no comparison with mongo-java-server and ICU')

differential: differential-setup ## COMPARISONS (100000) of the query language with each of two other implementations, and of strings with ICU
	$(GO) test ./$(DIFFERENTIAL) -count 1 -v -timeout 1h -seed 0 -comparisons $(COMPARISONS)

bench: ## benchmarks that live beside the code
	@$(GO) test -run '^$$' -bench . -benchmem -p 1 ./...

load: build ## latency, and processor time per write by step, of a server of its own (2 minutes)
	$(GO) run ./loadtest/latency -freshet bin/freshet
	$(GO) run ./loadtest/http -freshet bin/freshet

load-match: build ## freshet match next to jq and grep over a file of 300 MB (4 minutes)
	$(GO) run ./loadtest/match -freshet bin/freshet

peers: build ## the same work beside PostgreSQL and PocketBase, in one run (3 minutes, and PocketBase's build)
	$(GO) run ./loadtest/peers -freshet bin/freshet

fuzz: ## every fuzz target for FUZZTIME (10s)
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			printf '\n== %s %s\n' "$$package" "$$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -parallel $(PARALLEL) $$package; \
		done; \
	done

crash: ## ROUNDS (300) crashes, faults and flipped bits: of the store, of the log, and of the whole server
	$(GO) test ./storage -run '^(TestCrash|TestFaults|TestFlippedBitsAnywhere)$$' -rounds $(ROUNDS) -timeout 2h -v
	$(GO) test ./ingest -run 'Crash|Fail|Flipped' -count 5 -timeout 1h
	$(GO) test ./internal/e2e -run '^(TestCrash|TestRetryAfterTheCommit|TestSmallDisk|TestFullDisk)$$' -rounds $(ROUNDS) -timeout 4h -v

fmt: ## format the code
	@gofmt -w .

clean: ## remove what was built
	rm -rf bin $(TOOLS) $(DIFFERENTIAL)/mingo/node_modules $(DIFFERENTIAL)/mongojavaserver/target $(DIFFERENTIAL)/icu/target

$(MINGO): $(DIFFERENTIAL)/mingo/package-lock.json
	@printf 'installing mingo\n'
	@cd $(DIFFERENTIAL)/mingo && npm ci --silent
	@touch $@

$(JAVASERVER): $(DIFFERENTIAL)/mongojavaserver/pom.xml $(DIFFERENTIAL)/mongojavaserver/src/main/java/Peer.java
	@printf 'installing mongo-java-server\n'
	@cd $(DIFFERENTIAL)/mongojavaserver && mvn --quiet --batch-mode -Dstyle.color=never compile
	@touch $@

$(ICU): $(DIFFERENTIAL)/icu/pom.xml $(DIFFERENTIAL)/icu/src/main/java/Comparer.java
	@printf 'installing ICU4J\n'
	@cd $(DIFFERENTIAL)/icu && mvn --quiet --batch-mode -Dstyle.color=never compile
	@touch $@

# A tool's file carries its version, so that another version is another file.
$(STATICCHECK):
	$(call install,honnef.co/go/tools/cmd/staticcheck)

$(ERRCHECK):
	$(call install,github.com/kisielk/errcheck)

define install
	@printf 'installing %s\n' "$(notdir $@)"
	@mkdir -p $(TOOLS)/new-$(notdir $@)
	@GOBIN=$(TOOLS)/new-$(notdir $@) $(GO) install $(1)@$(lastword $(subst -, ,$(notdir $@)))
	@mv $(TOOLS)/new-$(notdir $@)/$(firstword $(subst -, ,$(notdir $@))) $@
	@rmdir $(TOOLS)/new-$(notdir $@)
endef
