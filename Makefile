# Each target makes what it needs: python3 >= 3.11 and make are all that must be there.

PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
  BIN := $(VENV)/Scripts
else
  BIN := $(VENV)/bin
endif
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test test-quick test-slow coverage test-oldest test-nightly lint bench bench-quality docs linkcheck package try-package clean

# One stamp per dependency group; pip installs a group on top of what is there.
$(VENV)/.pip:
	$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.group-%: $(VENV)/.pip pyproject.toml $(CONSTRAINT)
	$(PIP) install --editable . --group $* $(addprefix --constraint ,$(CONSTRAINT))
	@touch $@

demo: $(VENV)/.group-bench
	$(BIN)/python -m examples.plot_credit

# Threads of OpenMP that wait must not spin, where tests and what they start share the processors.
test coverage test-quick test-slow: export OMP_WAIT_POLICY = passive
PYTEST := -m pytest --numprocesses 2 --dist loadgroup

# Both parts, and the coverage of the quick one, which runs the tests on lost workers too.
test: $(VENV)/.group-test
	$(MAKE) coverage
	$(MAKE) test-slow SLOW="slow --ignore tests/dask/test_lost_workers.py"
	$(BIN)/coverage report

# Coverage cannot see compiled code: the first run executes the loops as plain Python. It leaves out
# what takes long there and reaches no other lines. The second traces a test until its
# runs have taken a second.
coverage: $(VENV)/.group-test
	$(BIN)/python -m tests.kernel_cache restore
	$(BIN)/coverage erase
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run $(PYTEST) --quiet -m "not slow" \
	  -k "not for_many_classes and not form_of_the_arrays and (not each_loop_sees or nan) \
	  and (not sparse_pass or int32)" \
	  tests/kernels/test_math.py tests/kernels/test_kernels.py tests/losses/test_losses.py
	SKFOCAL_TRACED=1 $(BIN)/coverage run $(PYTEST) -m "not slow"
	$(BIN)/coverage run $(PYTEST) --quiet tests/dask/test_lost_workers.py
	$(BIN)/python -m tests.kernel_cache save
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Each part alone, without coverage. Compiled loops are kept between clean checkouts.
QUICK := "not slow and not costly"
SLOW := "slow or costly"
test-quick: $(VENV)/.group-test
	$(BIN)/python -m tests.kernel_cache restore
	$(BIN)/python $(PYTEST) -m $(QUICK)
	$(BIN)/python -m tests.kernel_cache save

test-slow: $(VENV)/.group-test
	$(BIN)/python -m tests.kernel_cache restore
	$(BIN)/python $(PYTEST) -m $(SLOW)
	$(BIN)/python -m tests.kernel_cache save

# The oldest supported versions, in an environment of their own.
test-oldest:
	$(MAKE) test VENV=.venv-oldest CONSTRAINT=tests/oldest.txt

# The development version of one library, in an environment of its own. NIGHTLY is what pip is told
# to install: an index of wheels and a name, or a repository.
test-nightly:
	$(MAKE) .venv-$(LIBRARY)/.group-test VENV=.venv-$(LIBRARY)
	.venv-$(LIBRARY)/bin/python -m pip uninstall --quiet --yes $(LIBRARY) $(LIBRARY:xgboost=xgboost-cpu)
	.venv-$(LIBRARY)/bin/python -m pip install --upgrade $(NIGHTLY)
	$(MAKE) test-quick test-slow VENV=.venv-$(LIBRARY)

lint: $(VENV)/.group-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell skfocal tests benchmarks examples docs release *.md *.toml Makefile
	$(BIN)/check-yaml .pre-commit-config.yaml $(wildcard .github/*.yml .github/*/*.yml .github/*/*/*.yml) release/recipe.yaml
	$(BIN)/python -m pytest --quiet tests/project/test_docstrings.py

bench: $(VENV)/.group-bench $(VENV)/.group-peers
	for name in kernels start logistic convergence training stability links memory distributed claims probabilities scale; do \
	  $(BIN)/python -m benchmarks.$$name --quick || exit 1; done

# A part of the benchmarks of quality again, beside the committed results.
bench-quality: $(VENV)/.group-bench $(VENV)/.group-peers
	$(BIN)/python -m benchmarks.quality --quick
	$(BIN)/python -m benchmarks.as_run recipes --quick
	$(BIN)/python -m benchmarks.rare --quick

docs: $(VENV)/.group-docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	$(BIN)/python -m pytest --quiet -rs tests/project/test_site.py

# Links to other hosts, which needs a network; those within the site are tested by docs.
linkcheck: $(VENV)/.group-docs
	$(BIN)/sphinx-build -q -b linkcheck docs docs/_build/linkcheck

# What would be uploaded: a source archive and a wheel, and what is wrong with them. They are built
# twice, and have to be the same bytes.
package: $(VENV)/.group-package
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m build --outdir dist/again
	for file in dist/*.whl dist/*.tar.gz; do cmp $$file dist/again/$${file#dist/} || exit 1; done
	rm -r dist/again
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

# The wheel alone, with the libraries that it works with: README's lines, all examples, and the bill
# of materials of what was installed for them.
try-package: package
	rm -rf .venv-wheel
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip --quiet install "$$(ls $$PWD/dist/*.whl)[lightgbm,xgboost-cpu,catboost,plot,onnx,dask]" onnxruntime shap
	OMP_WAIT_POLICY=passive .venv-wheel/bin/python release/try_wheel.py README.md examples
	$(BIN)/cyclonedx-py environment .venv-wheel --pyproject pyproject.toml --output-reproducible \
	  --output-file dist/skfocal.cdx.json

clean:
	rm -rf $(VENV) .venv-wheel build dist docs/_build docs/auto_examples docs/generated demo-output .coverage .coverage.* htmlcov .mypy_cache \
	  .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
