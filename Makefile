# Every target brings the Python environment (.venv) up to its lock file first, which takes no time once that is done.
PYTHON ?= python3
PORT ?= 8080
OVERLAY ?= kind
export VIDEO ID SHOW SETTLE TYPE STATE SOURCE JOB EMAIL REVOKE JOBS BYTES MINUTES SECRET REGISTRY TAG NAMES DIR BASE BUILD_FLAGS

bootstrap = $(PYTHON) -I knative/local/bootstrap.py
run = $(bootstrap) requirements.lock && exec .venv/bin/python -m
# For what is piped on: nothing else on stdout.
piped = $(bootstrap) requirements.lock >&2 && exec .venv/bin/python -m
dev = $(bootstrap) tests/requirements.lock && exec .venv/bin/python -m
images = $(dev) pytest -n 0 -m images tests/integration

functions = gateway login upload convert notify download sweep
# The tests whose coverage counts, and the least that it has to be, in percent of lines and branches.
decisive = $(addsuffix .py,$(addprefix tests/unit/test_,jobs outbox leases turns rollouts duplicates cancelling joined fetching \
  fetch_resumed unwanted batch_notices))
floor = 70
compile = uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-header

.DEFAULT_GOAL := help
.PHONY: help run demo stack test provision lint format lock audit coverage migrate replay resend operator account backup restore events docs vendor images deploy undeploy kn secrets rotate screenshots sbom imagetest knativetest chaos benchmark clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 18

run: ## Serve audiolift on http://localhost:8080 until Ctrl-C (PORT=8081 for another port)
	@$(run) knative.local --port "$(PORT)"

demo: ## Turn a video into an MP3 and show each step (VIDEO=holiday.mp4; STACK=1 for real servers)
	@$(if $(STACK),$(dev) knative.local.stack demo,$(run) knative.local.demo) $${VIDEO:+"$$VIDEO"}

stack: ## Serve audiolift as run does, on a MariaDB, a RabbitMQ and a MongoDB of its own
	@$(dev) knative.local.stack run --port "$(PORT)"

test: provision lint ## Run the linters and every test
	@$(dev) pytest -n 3
	@$(images)

provision:
	@$(dev) tests.provision

lint: ## Check style, layers and types
	@$(dev) ruff check .
	@$(dev) ruff format --check .
	@$(bootstrap) tests/requirements.lock && exec .venv/bin/lint-imports
	@$(dev) mypy

audit: ## Look for known vulnerabilities in what is pinned, and at its licences
	@$(dev) pip_audit --disable-pip --requirement requirements.lock
	@$(dev) knative.images.licences

coverage: ## Run the tests of what decides what becomes of a job; fails when too much of that is not run
	@$(dev) pytest -n 0 --cov --cov-report=term-missing:skip-covered --cov-fail-under=$(floor) $(decisive)

format: ## Put the code into its uniform layout
	@$(dev) ruff check --fix-only --quiet .
	@$(dev) ruff format .

lock: ## Resolve pyproject.toml into the two lock files; what is pinned stays unless it has to move
	@$(dev) $(compile) $(addprefix --extra ,$(functions) telemetry migrate bridge local) --annotation-style line -o requirements.lock
	@$(dev) $(compile) --all-extras --no-annotate --constraint requirements.lock -o tests/requirements.lock

vendor: ## Bring what the page has of other projects, at the versions of functions/gateway/vendored.toml
	@$(dev) knative.vendor

migrate: ## Bring the tables at DATABASE_URL to the newest revision
	@$(run) functions.shared.migrate

replay: ## List dead letters (TYPE= STATE= SOURCE= JOB= for some); ID=… or --all, SHOW=…, SETTLE=…
	@$(run) functions.sweep.replay $(if $(SHOW),--show $$SHOW,$(if $(SETTLE),--settle $$SETTLE,$$ID)) \
		$(if $(TYPE),--type "$$TYPE") $(if $(STATE),--state "$$STATE") $(if $(SOURCE),--source "$$SOURCE") $(if $(JOB),--job "$$JOB")

resend: ## List events that the broker refused (ID=… sends one again, ID=--all sends all)
	@$(run) functions.sweep.resend $$ID

operator: ## List operators (EMAIL=… makes a user one, REVOKE=… ends that, EVEN_LAST=1)
	@$(run) functions.login.operators $(if $(REVOKE),--revoke "$$REVOKE",$(if $(EMAIL),--grant "$$EMAIL")) $(if $(EVEN_LAST),--even-last)

account: ## Show an account (EMAIL=…), set quotas (JOBS=… BYTES=… MINUTES=…), SUSPEND=1 (EVEN_LAST=1), RESUME=1
	@$(run) functions.login.managed "$$EMAIL" $(if $(JOBS),--jobs "$$JOBS") $(if $(BYTES),--stored-bytes "$$BYTES") \
		$(if $(MINUTES),--minutes-a-day "$$MINUTES") $(if $(SUSPEND),--suspend) $(if $(RESUME),--resume) \
		$(if $(EVEN_LAST),--even-last)

backup: ## Write all rows and files into DIR, at one moment, while everything goes on
	@$(run) functions.sweep.backup "$$DIR"

restore: ## Bring them back from DIR, into empty stores
	@$(run) functions.shared.migrate
	@$(run) functions.sweep.backup --restore "$$DIR"

events: ## Write schemas, examples and AsyncAPI document of the events anew
	@$(run) events.generate

docs: ## Write the tables of the docs, and the page's states, anew
	@$(run) docs.generate

images: ## Build the image of every function (REGISTRY=…/audiolift TAG=1.0, NAMES="gateway convert" for some)
	@$(PYTHON) -m knative.images.build

deploy: ## Bring audiolift to the cluster that kubectl points at (OVERLAY=production, or a directory)
	@$(run) knative.deploy "$(OVERLAY)"

undeploy: ## Take it away again; the namespace, its Secrets and volumes stay
	@$(run) knative.deploy --delete "$(OVERLAY)"

kn: ## Print the same as commands of kn (RUN=1 runs them)
	@$(piped) knative.kn $(if $(RUN),--run) "$(OVERLAY)"

secrets: ## Print new Secrets for OVERLAY=kind; pipe them into kubectl create -f -
	@$(piped) knative.credentials

rotate: ## Change the key of the tokens (SECRET=- for a Secret from stdin to stdout, DROP=1 to drop old keys)
	@$(piped) knative.rotate $(if $(DROP),--drop) $${SECRET:+"$$SECRET"}

screenshots: ## Take a picture of every state of the page, for docs/screenshots
	@$(dev) tests.browser.screenshots

chaos: ## Kill, stop and slow everything under 300 jobs, then look at all of it (SEED=… JOBS=…)
	@$(dev) tests.provision
	@$(dev) tests.chaos.storm $(if $(SEED),--seed "$(SEED)") $(if $(JOBS),--jobs "$(JOBS)")

benchmark: ## Measure everything in half an hour, for docs/performance.md and docs/scale.md
	@$(dev) tests.benchmarks.cold_start
	@$(dev) tests.benchmarks.conversion
	@$(dev) tests.benchmarks.stages
	@$(dev) tests.benchmarks.trips
	@$(dev) tests.benchmarks.throughput
	@$(dev) tests.benchmarks.events
	@$(dev) tests.benchmarks.through
	@$(dev) tests.benchmarks.live
	@$(dev) tests.benchmarks.intake
	@$(dev) tests.benchmarks.scale

sbom: ## Write what is in the images that were built, as CycloneDX, to data/sbom
	@$(dev) knative.images.sbom

imagetest: ## Build the images from a bare Debian and run them, with buildah, debootstrap and runc, as root
	@$(dev) tests.provision
	@$(images)

knativetest: ## Run audiolift behind Knative's own programs, as root (KNATIVE_BIN=the folder that has them)
	@$(dev) tests.provision
	@$(dev) pytest -n 0 tests/knative

clean: ## Remove the environment and caches; data/ stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	@find . -name __pycache__ -prune -exec rm -rf {} +
