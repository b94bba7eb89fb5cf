# `make demo` and `make test` need nothing but Python >= 3.10: both create their own virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := build/demo
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test lint bench custom-layer-check figure report-pictures clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# The main job on a trained network; then the same network with its mode lost, refused and repaired.
demo: export PATH := $(abspath $(BIN)):$(PATH)
demo: $(VENV)/.installed
	mkdir -p $(DEMO)
	python -m models build segmenter -o $(DEMO)/segmenter.keras
	python -m models image -o $(DEMO)/input.npy
	@printf '\n== From Keras to Core ML, the same pixels at every stop\n'
	rewriter deploy $(DEMO)/segmenter.keras --inputs $(DEMO)/input.npy -o $(DEMO)
	@printf '\n== The mode gets lost: every resize samples half_pixel. Verification must refuse (exit code 1)\n'
	rewrite $(DEMO)/model.onnx --intent half_pixel -o $(DEMO)/broken.onnx
	rewriter verify $(DEMO)/segmenter.keras $(DEMO)/broken.onnx; test $$? -eq 1
	@printf '\n== The passes repair it, and verification passes\n'
	rewrite $(DEMO)/broken.onnx -o $(DEMO)/repaired.onnx
	rewriter verify $(DEMO)/segmenter.keras $(DEMO)/repaired.onnx
	@printf '\nOpen %s in a browser.\n' $(DEMO)/report.html

test: $(VENV)/.installed
	$(BIN)/python -m pytest

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every figure of docs/performance.md, measured here beside the peers: about 20 minutes and 20 GB of disk. Peers that
# cannot be installed are left out, and the document says which.
bench: $(VENV)/.installed
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m benchmarks run

# The custom layer's sources without Apple's tools: types, arm64 objects, and random cases against the algebra. What is
# missing comes from Debian's packages where they can be installed; elsewhere the check says what to install.
custom-layer-check: $(VENV)/.installed
	@missing="$$($(BIN)/python -m rewriter.coreml.customlayer --missing)"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get install --yes --no-install-recommends $$missing || \
			{ apt-get update && apt-get install --yes --no-install-recommends $$missing; }; \
	fi
	$(BIN)/python -m rewriter.coreml.customlayer
	$(BIN)/python -m pytest tests/coreml/customlayer

# docs/figures/report-*.png: the demo's report in headless Chromium, as wide as a desktop and as a phone.
report-pictures: demo
	$(BIN)/python -m tests.verification.report.pictures $(DEMO)/report.html docs/figures

# docs/figures/segmentation.png from the trained sample network: the deployed Core ML model beside two lost modes.
FIGURE := build/figure
figure: export PATH := $(abspath $(BIN)):$(PATH)
figure: $(VENV)/.installed
	mkdir -p $(FIGURE)
	python -m models build segmenter -o $(FIGURE)/segmenter.keras
	python -m models image -o $(FIGURE)/input.npy
	rewriter deploy $(FIGURE)/segmenter.keras --target iOS13 --custom-layer always -o $(FIGURE)
	rewrite $(FIGURE)/model.onnx --intent half_pixel -o $(FIGURE)/half_pixel.onnx
	rewrite $(FIGURE)/model.onnx --intent asymmetric -o $(FIGURE)/asymmetric.onnx
	rewriter figure $(FIGURE)/segmenter.keras $(FIGURE)/model.mlmodel $(FIGURE)/half_pixel.onnx \
		$(FIGURE)/asymmetric.onnx --input $(FIGURE)/input.npy --label 'Core ML, custom layer (simulated)' \
		--label 'half-pixel centres' --label 'asymmetric' -o docs/figures/segmentation.png

clean:
	rm -rf $(VENV) build
