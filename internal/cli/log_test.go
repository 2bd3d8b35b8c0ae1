package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What a server wrote can be read back, while it runs and after, and a damaged file is named.
func TestLogDump(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	server, url := serve(t, data, "--dev")
	request(t, http.MethodPut, url+"/v1/db/pages/a", `{"title":"one"}`)
	request(t, http.MethodPut, url+"/v1/db/pages/a", `{"title":"two"}`)
	request(t, http.MethodDelete, url+"/v1/db/pages/a", "")
	request(t, http.MethodPost, url+"/v1/db/pages:truncate", "")

	dump := func(args ...string) []dumpedRecord {
		t.Helper()
		r := invoke(t, nil, append([]string{"log", "dump"}, args...)...)
		if r.code != ExitOK {
			t.Fatalf("%q: exit %d, %s", args, r.code, r.stderr)
		}
		var records []dumpedRecord
		for line := range strings.Lines(r.stdout) {
			var record dumpedRecord
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			records = append(records, record)
		}
		return records
	}
	for _, folder := range []string{data, filepath.Join(data, "log")} {
		records := dump(folder, "--partition", "1")
		if len(records) != 4 {
			t.Fatalf("%d records, 4 are due: %+v", len(records), records)
		}
		for i, want := range []string{"insert", "update", "delete", ""} {
			r := records[i]
			if r.Operation != want || r.Offset != uint64(i) || r.Partition != 1 || r.Before != nil || (r.BeforeBytes > 0) != (i == 1 || i == 2) {
				t.Errorf("record %d is %+v", i, r)
			}
		}
		if records[3].Kind != "fence" || records[3].Fence != "truncate" || records[1].Base != records[0].WriteID {
			t.Errorf("the last record is %+v", records[3])
		}
	}
	if records := dump(data, "--documents", "--from", "1", "--partition", "1", "--limit", "1"); len(records) != 1 ||
		!strings.Contains(string(records[0].Before), `"one"`) || !strings.Contains(string(records[0].After), `"two"`) {
		t.Errorf("with documents: %+v", records)
	}
	if records := dump(data, "--partition", "0"); len(records) < 2 || records[0].Kind != "control" || !json.Valid(records[0].Body) {
		t.Errorf("the control partition: %+v", records)
	}
	server.signal(t, syscall.SIGTERM)
	if text, code := server.rest(t); code != ExitOK {
		t.Fatalf("exit %d: %s", code, text)
	}
	segment := filepath.Join(data, "log", "0000000000000001.segment")
	content, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	content[5000] ^= 1
	if err := os.WriteFile(segment, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, nil, "log", "dump", data); r.code != ExitFailure || !strings.Contains(r.stderr, segment) {
		t.Errorf("damaged: exit %d, %s", r.code, r.stderr)
	}
	if r := invoke(t, nil, "log", "dump", t.TempDir()); r.code != ExitFailure || !strings.Contains(r.stderr, "no log") {
		t.Errorf("no log: exit %d, %s", r.code, r.stderr)
	}
	if r := invoke(t, nil, "log", "dump", data, "--partition", "5000"); r.code != ExitUsage {
		t.Errorf("a partition that cannot be: exit %d, %s", r.code, r.stderr)
	}
}
