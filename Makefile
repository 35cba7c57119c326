# Everything a developer runs; .ci/run calls the same targets. Needs Go 1.26; tests that need more say so when they skip.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO        ?= go
# Without -trimpath the binary shares its compiled packages with the tests, which halves the wait on a fresh machine.
BUILD     := -buildvcs=false
FUZZTIME  ?= 10s
TESTFLAGS ?= -timeout 20m -shuffle on
# Guests under testdata are modules too, but inputs of tests, not holders of any.
MODULES   := $(shell find . -name go.mod -not -path '*/node_modules/*' -not -path '*/testdata/*' -exec dirname {} \; | LC_ALL=C sort)
# Where goroutines meet: the spine, both signers, settlement, the sandbox, the stores.
RACE      ?= ./runtime/... ./signer/... ./settle/x402/... ./settle/facilitator/... ./settle/journal/... ./internal/sandbox/... ./internal/sqldb/...
LINT      := bin/golangci-lint

.PHONY: help build demo test check race lint fmt fuzz soak bench bench-plugins bench-signer plugins generate cover interop vuln $(LINT)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: plugins ## build bin/purser with the bundled plugins
	$(GO) build $(BUILD) -o bin/purser ./cmd/purser

demo: build ## run the story: allowed, held, denied by plugin, denied by budget, verified
	bin/purser demo

test: plugins ## run every test of every module; skips are listed at the end
	@{ failed=0; for module in $(MODULES); do (cd $$module && $(GO) test -json $(TESTFLAGS) ./...) || failed=1; done; exit $$failed; } \
		| $(GO) run -C tools ./testreport

check: fmt lint generate test ## what a commit must pass: stage it, then nothing here may change a file
	git diff --exit-code

lint: $(LINT) ## vet and golangci-lint every module
	@failed=0; for module in $(MODULES); do echo "lint $$module"; \
		(cd $$module && $(GO) vet ./... && $(CURDIR)/$(LINT) run --config $(CURDIR)/.golangci.yml ./...) || failed=1; done; exit $$failed

fmt: ## format every Go file with gofumpt
	@$(GO) build -C tools $(BUILD) -o ../bin/gofumpt mvdan.cc/gofumpt
	@bin/gofumpt -w .

# The first build takes several CPU-minutes; the go tool knows when it is up to date.
$(LINT):
	@$(GO) build -C tools $(BUILD) -o ../$(LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint

race: plugins ## run the tests of concurrent packages under the race detector, the long ones shortened (needs a C compiler)
	@CGO_ENABLED=1 $(GO) test -race -short -json $(TESTFLAGS) $(RACE) | $(GO) run -C tools ./testreport

fuzz: plugins ## fuzz each target for FUZZTIME (10s)
	@GO='$(GO)' MODULES='$(MODULES)' FUZZTIME=$(FUZZTIME) .ci/fuzz

# What reads bytes of strangers on their way into the sandbox.
SOAK := sandbox.* Fuzz|/abi Fuzz|/schema Fuzz|/trust Fuzz|/oci Fuzz
SOAKTIME ?= 30m
soak: plugins ## a million decisions, 1,000 kills of either signer, and SOAKTIME (30m) of fuzzing for each reader of strangers' bytes
	PURSER_SOAK_KILLS=1000 PURSER_SOAK_ROGUE=1 $(GO) test -timeout 24h -count 1 -v -run 'EitherProcessKilled|SideKilledAtEachPoint|RogueRuntime' ./cmd/purser
	PURSER_SOAK_REQUESTS=1000000 $(GO) test -timeout 3h -count 1 -v -run TestEveryRequestIsDecidedAlikeEverywhere ./plugins/bundle
	@GO='$(GO)' MODULES='. ./sdk/go' FUZZ_ONLY='$(SOAK)' FUZZTIME=$(SOAKTIME) .ci/fuzz

bench: plugins ## print the benchmarks beside what they are compared with; JSON=1 prints rows
	@JSON=$(JSON) $(GO) run ./internal/bench

bench-plugins: ## print what a decision takes in purser's sandbox and in its peers; JSON=1 prints rows
	@cd tools/bench && JSON=$(JSON) $(GO) run .

bench-signer: plugins ## print what a signature and an agent's wallet take, with both signers on this machine; JSON=1 prints rows
	@JSON=$(JSON) $(GO) run ./internal/bench -signer

plugins: ## compile the bundled plugins to WebAssembly
	@plugins/build.sh

generate: ## write codecs, golden vectors and tables again
	$(GO) generate ./abi/...

cover: plugins ## measure how much of the root module its tests reach
	$(GO) test -timeout 30m -coverpkg=./... -coverprofile=coverage.out ./...
	@$(GO) tool cover -func=coverage.out | tail -n 1

interop: build ## pay and be paid by the official x402 packages (needs node 20 and npm)
	@cd tools/interop && npm ci --no-audit --no-fund --silent && npm test --silent

vuln: ## ask the Go vulnerability database about what is linked (needs the Internet)
	@$(GO) build -C tools $(BUILD) -o ../bin/govulncheck golang.org/x/vuln/cmd/govulncheck && bin/govulncheck ./...
