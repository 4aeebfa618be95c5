# make download: fetch the recipe's archives, check them, unpack them.
#
# A recipe sets ARCHIVES (file names), and for each URL_<name> and SUM_<name>, a SHA-256
# or MD5 sum. An interrupted download goes on where it stopped. The authors had no
# internet at hand: the rule was tried on local files, the addresses were not.

DOWNLOAD ?= download

.PHONY: download
download: $(ARCHIVES:%=$(DOWNLOAD)/%.unpacked)

$(ARCHIVES:%=$(DOWNLOAD)/%.unpacked): $(DOWNLOAD)/%.unpacked:
	@mkdir -p $(DOWNLOAD)
	curl --fail --location --retry 3 --continue-at - --output $(DOWNLOAD)/$* "$(URL_$*)"
	@case "$(SUM_$*)" in \
	  ????????????????????????????????) sum=$$( (md5sum || md5 -q) < $(DOWNLOAD)/$* 2>/dev/null );; \
	  *) sum=$$( (sha256sum || shasum -a 256) < $(DOWNLOAD)/$* 2>/dev/null );; \
	esac; \
	test "$${sum%% *}" = "$(SUM_$*)" || { echo "make: $(DOWNLOAD)/$*: damaged, or another edition: its sum is $${sum%% *}, not $(SUM_$*); remove it and try again" >&2; exit 1; }
	tar -xzf $(DOWNLOAD)/$* -C $(DOWNLOAD)
	@touch $@
