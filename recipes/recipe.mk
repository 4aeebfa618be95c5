# The chain that all recipes share: prep, train, transcribe, score.
#
# A recipe sets CORPUS and, where the corpus needs it, PREP_FLAGS, then includes this
# file. A config's name is its experiment's name: `make` runs base.toml; put wide.toml
# beside it and say `make wide`.
#
#   CORPUS       the corpus's folder
#   PREP_FLAGS   options for asr prep, such as --split train=train-clean-100
#   EVAL         the split that is scored: test, or dev
#   ASR          the asr command

ASR        ?= asr
EVAL       ?= test
PREP_FLAGS ?=

EXPERIMENTS := $(basename $(wildcard *.toml))

.DEFAULT_GOAL := base
.SHELLFLAGS := -eu -c
# A file is complete or absent; what a failing command began is removed ...
.DELETE_ON_ERROR:
# ... and nothing that took time is removed as "intermediate".
.SECONDARY:
.PHONY: $(EXPERIMENTS) data clean

$(EXPERIMENTS): %: exp/%/$(EVAL).wer
	@echo; echo "$(notdir $(CURDIR)) $@, $(EVAL) set:"; sed -n '1,/^$$/p' $<

data: data/prep.json

data/prep.json: $(CORPUS_READY)
	@test -n "$(CORPUS)" || { echo "make: say where the corpus is: make CORPUS=<folder>" >&2; exit 1; }
	$(ASR) prep "$(CORPUS)" data $(PREP_FLAGS) --overwrite

# model.safetensors is written once, at the end, so an interrupted make loses nothing:
# the next one resumes from last.safetensors. Another config or other data start anew.
$(EXPERIMENTS:%=exp/%/model.safetensors): exp/%/model.safetensors: %.toml data/prep.json
	$(ASR) train data --out exp/$* --config $< --resume --overwrite

$(EXPERIMENTS:%=exp/%/$(EVAL).hyp.jsonl): exp/%/$(EVAL).hyp.jsonl: exp/%/model.safetensors
	$(ASR) transcribe data/$(EVAL).jsonl --model $< --format jsonl --output $@

$(EXPERIMENTS:%=exp/%/$(EVAL).wer): exp/%/$(EVAL).wer: exp/%/$(EVAL).hyp.jsonl
	$(ASR) score data/$(EVAL).jsonl $< --model exp/$*/model.safetensors > $@.part
	@mv $@.part $@

clean:
	rm -rf data exp
