package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/freshetdb/freshet/ingest"
)

func TestFolderFormat(t *testing.T) {
	data := t.TempDir()
	if err := CheckFormat(data); err != nil {
		t.Fatalf("a folder that states no format: %v", err)
	}
	if err := WriteFormat(data); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(data, FormatFile)
	text, err := os.ReadFile(name)
	if err != nil || string(text) != "freshet data folder, format 2\n" {
		t.Fatalf("%q, %v", text, err)
	}
	if err := errors.Join(CheckFormat(data), WriteFormat(data), CheckFormat(data)); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"freshet data folder, format 3\n":       "has format 3, this program reads up to 2",
		"freshet data folder, format 4000000\n": "format 4000000",
		"freshet data folder, format 0\n":       "states no format",
		"freshet data folder, format -1\n":      "states no format",
		"freshet data folder, format 1 ":        "states no format",
		"":                                      "states no format",
		"format 1":                              "states no format",
	} {
		write(t, name, []byte(text))
		if err := CheckFormat(data); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), data) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// What a newer program may have written in a data folder whose FORMAT is lost is still refused, by each part of it, with
// what it is, the versions and what to do.
func TestNewerFormats(t *testing.T) {
	const remedy = "use"
	control := func(body string) func(*testing.T, string) {
		return func(t *testing.T, data string) {
			appendRaw(t, data, ingest.AppendRecord(nil, &ingest.Record{Kind: ingest.RecordControl, Body: []byte(body)}))
		}
	}
	setState := func(key []byte, change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, data string) { rewriteState(t, data, key, change) }
	}
	for name, test := range map[string]struct {
		change func(t *testing.T, data string)
		want   error
		texts  []string
	}{
		"state": {setState(keyVector, func(b []byte) []byte { b[0] = 2; return b }), ErrFormat, []string{"the state has format 2", "up to 1", remedy}},
		"constants": {setState(keyGenesis, func(b []byte) []byte { return bytes.Replace(b, []byte(`"format":1`), []byte(`"format":3`), 1) }),
			ErrFormat, []string{"first record has format 3", "up to 1", remedy}},
		"collection": {setState(appendControlKey(nil, 1), func(b []byte) []byte { return bytes.Replace(b, []byte(`{`), []byte(`{"shiny":1,`), 1) }),
			ErrFormat, []string{"shiny", "newer version", remedy}},
		"control record": {control(`{"shine":{"collection":1}}`), ErrFormat, []string{"shine", "newer version", remedy}},
		"settings":       {control(`{"put":{"app":"default","name":"x","settings":{"shiny":true}}}`), ErrFormat, []string{"shiny", remedy}},
		"genesis": {func(t *testing.T, data string) {
			if err := os.RemoveAll(data); err != nil {
				t.Fatal(err)
			}
			control(`{"genesis":{"format":2,"partitions":2,"maxWriteLag":5,"incarnation":"7"}}`)(t, data)
		}, ErrFormat, []string{"first record has format 2", remedy}},
		"record": {func(t *testing.T, data string) {
			appendRaw(t, data, append([]byte{ingest.RecordVersion + 1}, ingest.AppendRecord(nil, &ingest.Record{Kind: ingest.RecordControl, Body: []byte("{}")})[1:]...))
		}, ingest.ErrRecordVersion, []string{fmt.Sprintf("version %d", ingest.RecordVersion+1), "update"}},
		"segment": {func(t *testing.T, data string) {
			name := filepath.Join(data, LogFolder, "0000000000000001.segment")
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			b[8] = 9
			write(t, name, b)
		}, ingest.ErrSegmentVersion, []string{"version 9", "up to 1", "open it with that version"}},
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			r := diskRig(t, data, 1)
			c := r.collection("pages")
			if _, _, err := r.put(t.Context(), c, "a", 1); err != nil {
				t.Fatal(err)
			}
			r.shut()
			test.change(t, data)
			err := startAndStop(t, data)
			if !errors.Is(err, test.want) {
				t.Fatalf("%v, want %v", err, test.want)
			}
			for _, text := range test.texts {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
			if name == "genesis" {
				return // it made the state anew
			}
			if name == "segment" {
				if report, err := Check(t.Context(), Config{Dir: filepath.Join(data, StateFolder)}, ingest.SegmentConfig{Dir: filepath.Join(data, LogFolder)}); !errors.Is(err, ingest.ErrSegmentVersion) {
					t.Errorf("check: %+v, %v", report, err)
				}
				return
			}
			if report := mustCheck(t, data); report.ProblemCount == 0 {
				t.Error("the check finds nothing")
			}
		})
	}
}

// appendRaw appends a payload to the control partition of a stopped node's log.
func appendRaw(t *testing.T, data string, payload []byte) {
	t.Helper()
	log, err := ingest.OpenSegments(ingest.SegmentConfig{Dir: filepath.Join(data, LogFolder), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(log.Append(t.Context(), []ingest.Entry{{Payload: payload}}), log.Close()); err != nil {
		t.Fatal(err)
	}
}

// rewriteState changes a key of a stopped node's state.
func rewriteState(t *testing.T, data string, key []byte, change func([]byte) []byte) {
	t.Helper()
	db, err := pebble.Open(filepath.Join(data, StateFolder), &pebble.Options{FormatMajorVersion: stateFormat, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	raw, closer, err := db.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	value := change(bytes.Clone(raw))
	if bytes.Equal(value, raw) {
		t.Fatalf("nothing changes in %q", raw)
	}
	if err := errors.Join(closer.Close(), db.Set(key, value, pebble.Sync), db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// startAndStop starts a node's log and store in real files and returns why it cannot serve, or nil once it does.
func startAndStop(t *testing.T, data string) error {
	t.Helper()
	log, err := ingest.OpenSegments(ingest.SegmentConfig{Dir: filepath.Join(data, LogFolder), NoSync: true, SegmentBytes: 64 << 10})
	if err != nil {
		return err
	}
	store, err := Open(Config{Dir: filepath.Join(data, StateFolder), FS: vfs.Default}, log)
	if err != nil {
		return errors.Join(err, log.Close())
	}
	return errors.Join(runUntilReady(t, store), store.Close(), log.Close())
}

// A state that a newer Pebble has written is refused too; ours stays at the version that the folder's format stands for.
func TestPebbleFormat(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := diskRig(t, data, 1)
	if v := r.store.db.FormatMajorVersion(); v != stateFormat {
		t.Errorf("Pebble's files have version %v, want %v", v, stateFormat)
	}
	r.shut()
	markers, err := filepath.Glob(filepath.Join(data, StateFolder, "marker.format-version.*"))
	if err != nil || len(markers) != 1 {
		t.Fatalf("%v, %v", markers, err)
	}
	newer := strings.TrimSuffix(markers[0], filepath.Ext(markers[0])) + fmt.Sprintf(".%03d", pebble.FormatNewest+40)
	if err := os.Rename(markers[0], newer); err != nil {
		t.Fatal(err)
	}
	err = startAndStop(t, data)
	if err == nil || !strings.Contains(err.Error(), "format major version") || !strings.Contains(err.Error(), StateFolder) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(newer); errors.Is(err, fs.ErrNotExist) {
		t.Error("the state was changed")
	}
}
