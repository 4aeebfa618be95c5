# The chain that all recipes share: prep, train, transcribe, score.
#
# A recipe sets CORPUS and, where the corpus needs it, PREP_FLAGS, then includes this
# file. A config's name is its experiment's name: `make` runs base.toml; put wide.toml
# beside it and say `make wide`.
#
#   CORPUS       the corpus's folder
#   PREP_FLAGS   options for asr prep, such as --split train=train-clean-100
#   EVAL         the split that is scored: test, or dev where there is no test set
#   DATA, EXP    where manifests and experiments go
#   ASR          the asr command
#
# `make base-lm` goes on with a language model: made of LM_TEXT, its weights tuned on dev.
#
#   LM_TEXT      texts for asr lm; the training texts if left out
#   LM_FLAGS     options for asr lm, such as --order 4

ASR        ?= asr
EVAL       ?= test
DATA       ?= data
EXP        ?= exp
PREP_FLAGS ?=
LM_TEXT    ?= $(DATA)/train.jsonl
LM_FLAGS   ?= --order 3

EXPERIMENTS := $(basename $(wildcard *.toml))
WITH_LM     := $(EXPERIMENTS:%=%-lm)

.DEFAULT_GOAL := base
.SHELLFLAGS := -eu -c
# A file is complete or absent; what a failing command began is removed ...
.DELETE_ON_ERROR:
# ... and nothing that took time is removed as "intermediate".
.SECONDARY:
.PHONY: $(EXPERIMENTS) $(WITH_LM) clean FORCE

$(EXPERIMENTS): %: $(EXP)/%/$(EVAL).wer
	@echo; echo "$(notdir $(CURDIR)), $@.toml, $(EVAL) set"; sed '/^$$/,$$d' $<
	@echo "aligned errors: $(notdir $(CURDIR))/$<, and a page: $(notdir $(CURDIR))/$(EXP)/$*/score/report.html"

$(WITH_LM): %-lm: $(EXP)/%/$(EVAL).lm.wer
	@echo; echo "$(notdir $(CURDIR)), $*.toml with a language model, $(EVAL) set"; sed '/^confidences /,$$d' $<
	@echo "tuned on the dev set (if that was scored, believe what is cross-validated):"; cat $(EXP)/$*/tuning.txt

# Changes when corpus or options do, so that prep is done again; without a CORPUS given,
# what was prepared stays.
ASKED := $(CORPUS) $(PREP_FLAGS)
STAMP := $(if $(CORPUS),$(DATA)/corpus.txt)
$(DATA)/corpus.txt: FORCE
	@mkdir -p $(DATA); test "$$(cat $@ 2>/dev/null)" = "$(ASKED)" || echo "$(ASKED)" > $@
FORCE:

$(DATA)/prep.json: $(STAMP) $(CORPUS_READY)
	@test -n "$(CORPUS)" || { echo "make: say where the corpus is: make CORPUS=<folder>" >&2; exit 1; }
	$(ASR) prep "$(CORPUS)" $(DATA) $(PREP_FLAGS) --overwrite

# model.safetensors is written once, at the end, so an interrupted make loses nothing:
# the next one resumes from last.safetensors. Another config or other data start anew.
$(EXPERIMENTS:%=$(EXP)/%/model.safetensors): $(EXP)/%/model.safetensors: %.toml $(DATA)/prep.json
	$(ASR) train $(DATA) --out $(EXP)/$* --config $< --resume --overwrite

$(EXPERIMENTS:%=$(EXP)/%/$(EVAL).hyp.jsonl): $(EXP)/%/$(EVAL).hyp.jsonl: $(EXP)/%/model.safetensors
	$(ASR) transcribe $(DATA)/$(EVAL).jsonl --model $< --format jsonl --output $@

$(EXPERIMENTS:%=$(EXP)/%/$(EVAL).wer): $(EXP)/%/$(EVAL).wer: $(EXP)/%/$(EVAL).hyp.jsonl
	$(ASR) score $(DATA)/$(EVAL).jsonl $< --model $(EXP)/$*/model.safetensors \
		--out $(EXP)/$*/score > $@.part
	@mv $@.part $@

# Changes when texts or options do, so that the language model is made again.
LM_ASKED := $(LM_TEXT) $(LM_FLAGS)
$(DATA)/lm.txt: FORCE
	@mkdir -p $(DATA); test "$$(cat $@ 2>/dev/null)" = "$(LM_ASKED)" || echo "$(LM_ASKED)" > $@

$(EXPERIMENTS:%=$(EXP)/%/lm.lm): $(EXP)/%/lm.lm: $(EXP)/%/model.safetensors $(DATA)/lm.txt $(filter-out $(DATA)/%,$(LM_TEXT))
	$(ASR) lm $(LM_TEXT) --model $< --out $@ $(LM_FLAGS)

$(EXPERIMENTS:%=$(EXP)/%/tuned.safetensors): $(EXP)/%/tuned.safetensors: $(EXP)/%/model.safetensors $(EXP)/%/lm.lm
	$(ASR) tune $(DATA)/dev.jsonl --model $< --lm $(EXP)/$*/lm.lm --out $@ > $(EXP)/$*/tuning.txt.part
	@mv $(EXP)/$*/tuning.txt.part $(EXP)/$*/tuning.txt

$(EXPERIMENTS:%=$(EXP)/%/$(EVAL).lm.hyp.jsonl): $(EXP)/%/$(EVAL).lm.hyp.jsonl: $(EXP)/%/tuned.safetensors
	$(ASR) transcribe $(DATA)/$(EVAL).jsonl --model $< --lm $(EXP)/$*/lm.lm --words --format jsonl --output $@

$(EXPERIMENTS:%=$(EXP)/%/$(EVAL).lm.wer): $(EXP)/%/$(EVAL).lm.wer: $(EXP)/%/$(EVAL).lm.hyp.jsonl $(EXP)/%/$(EVAL).hyp.jsonl
	$(ASR) score $(DATA)/$(EVAL).jsonl $(EXP)/$*/$(EVAL).hyp.jsonl $< --model $(EXP)/$*/model.safetensors \
		--out $(EXP)/$*/score-lm > $@.part
	@mv $@.part $@

clean:
	rm -rf $(DATA) $(EXP)
