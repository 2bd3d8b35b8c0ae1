package config

import (
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "freshet.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDefaultsPassTheirOwnChecks(t *testing.T) {
	t.Parallel()
	l, err := Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		c := Default()
		text := s.Default()
		if err := s.value(&c).Set(text); err != nil {
			t.Errorf("%s: default %q: %v", s.Key, text, err)
		}
		if got := s.Value(c); got != text {
			t.Errorf("%s: %q is printed as %q", s.Key, text, got)
		}
		if l.Origin[s.Key] != "default" {
			t.Errorf("%s comes from %q", s.Key, l.Origin[s.Key])
		}
	}
}

func TestTableNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]string{FileFlag: "the file", FileEnv: "the file"}
	for _, s := range settings {
		for _, name := range []string{"key " + s.Key, "flag " + s.Flag, s.Env} {
			if other := seen[name]; other != "" {
				t.Errorf("%s of %s is also that of %s", name, s.Key, other)
			}
			seen[name] = s.Key
		}
		if s.Meaning == "" || s.Group == "" || strings.HasSuffix(s.Meaning, ".") || (s.Cost != "" && !strings.HasSuffix(s.Cost, ".")) {
			t.Errorf("%s: incomplete or wrongly ended documentation", s.Key)
		}
		if s.Switch() != (s.Holder == "") {
			t.Errorf("%s: a setting has a placeholder exactly if it takes a value", s.Key)
		}
	}
}

// Invariant 2, for every subset of the three places.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "http:\n  heartbeat: 3s\n")
	for given := range 8 {
		flags, want, origin := Given{}, "25s", "default"
		var env []string
		if given&1 != 0 {
			flags[FileFlag] = file
			want, origin = "3s", "file "+file+":2"
		}
		if given&2 != 0 {
			env = append(env, "FRESHET_HTTP_HEARTBEAT=2s")
			want, origin = "2s", "environment FRESHET_HTTP_HEARTBEAT"
		}
		if given&4 != 0 {
			flags["heartbeat"] = "1s"
			want, origin = "1s", "flag --heartbeat"
		}
		l, err := Load(flags, env)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Config.Heartbeat.String(); got != want || l.Origin["http.heartbeat"] != origin {
			t.Errorf("places %03b: %s from %s, want %s from %s", given, got, l.Origin["http.heartbeat"], want, origin)
		}
	}
}

func TestFileIsNamedByFlagOrEnvironment(t *testing.T) {
	t.Parallel()
	one, two := writeFile(t, "data: one"), writeFile(t, "data: two")
	l, err := Load(nil, []string{"FRESHET_CONFIG=" + one})
	if err != nil || l.Config.Data != "one" {
		t.Errorf("by the environment: %q, %v", l.Config.Data, err)
	}
	l, err = Load(Given{FileFlag: two}, []string{"FRESHET_CONFIG=" + one})
	if err != nil || l.Config.Data != "two" || l.File != two {
		t.Errorf("the flag wins: %q, %v", l.Config.Data, err)
	}
}

func TestFileSetsEverySetting(t *testing.T) {
	t.Parallel()
	l, err := Load(Given{FileFlag: writeFile(t, `
listen: 127.0.0.1:0
logPartitions: 3
durability: os
dev: true
cacheBytes: 2GiB
flushBytes: 33554432
http:
  origins: [https://a.example, "http://localhost:3000"]
  drainTimeout: 1m
`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.Listen != "127.0.0.1:0" || c.LogPartitions != 3 || c.Durability != DurabilityOS || !c.Dev || c.CacheBytes != 2<<30 ||
		c.FlushBytes != 32<<20 || c.DrainTimeout.String() != "1m0s" ||
		!slices.Equal(c.Origins, []string{"https://a.example", "http://localhost:3000"}) {
		t.Errorf("read %+v", c)
	}
	for _, empty := range []string{"", "\n", "# nothing\n", "---\n"} {
		if _, err := Load(Given{FileFlag: writeFile(t, empty)}, nil); err != nil {
			t.Errorf("empty file %q: %v", empty, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file  string
		flags Given
		env   []string
		want  []string // parts of the message: setting, place, value, remedy
	}{
		"unknown key":         {file: "data: x\nlisten_: 127.0.0.1:1\n", want: []string{":2: the key listen_ is unknown", "did you mean listen?"}},
		"unknown nested key":  {file: "http:\n  origin: []\n", want: []string{"http.origin is unknown", "did you mean http.origins?"}},
		"key of nothing near": {file: "zzzzzzzzzz: 1\n", want: []string{"the key zzzzzzzzzz is unknown"}},
		"key given twice":     {file: "data: a\ndata: b\n", want: []string{":2: data is given twice, first in line 1"}},
		"no mapping":          {file: "[1, 2]\n", want: []string{"expected `key: value` lines"}},
		"no YAML":             {file: "a: [\n", want: []string{"yaml"}},
		"two documents":       {file: "data: a\n---\ndata: b\n", want: []string{"more than one"}},
		"list for one value":  {file: "data: [a]\n", want: []string{"data (file", "one plain value"}},
		"no value":            {file: "data:\n", want: []string{"has no value"}},
		"missing file":        {flags: Given{FileFlag: "/nowhere/f.yaml"}, want: []string{"read the file of --config", "/nowhere/f.yaml"}},
		"address":             {flags: Given{"listen": "4680"}, want: []string{"listen (flag --listen)", `"4680"`, "127.0.0.1:4680"}},
		"port":                {env: []string{"FRESHET_ADMIN=127.0.0.1:70000"}, want: []string{"admin (environment FRESHET_ADMIN)", "65535"}},
		"count too large":     {flags: Given{"log-partitions": "5000"}, want: []string{"5000", "from 1 to 4096"}},
		"count not a number":  {flags: Given{"max-reads": "many"}, want: []string{"many", "from 0 to"}},
		"size too small":      {flags: Given{"segment-bytes": "1KiB"}, want: []string{"1KiB", "from 16MiB to 4GiB"}},
		"size overflows":      {flags: Given{"cache-bytes": "9223372036854775807GiB"}, want: []string{"from 1MiB to 1024GiB"}},
		"choice":              {flags: Given{"durability": "disk"}, want: []string{"disk", "fsync, os"}},
		"switch":              {env: []string{"FRESHET_DEV=perhaps"}, want: []string{"perhaps", "true"}},
		"duration":            {flags: Given{"heartbeat": "25"}, want: []string{"25", "duration from 1s to 10m0s"}},
		"empty data":          {flags: Given{"data": ""}, want: []string{"is empty"}},
		"origin with a path":  {flags: Given{"origin": "https://a.example/app"}, want: []string{"https://a.example/app", "scheme and host only"}},
		"dev on all":          {flags: Given{"dev": "true", "listen": ":4680"}, want: []string{"listen (flag --listen)", "dev (flag --dev)", "127.0.0.1"}},
		"dev on a name":       {flags: Given{"dev": "true", "listen": "db.example:1"}, want: []string{"other machines"}},
		"dev with admin":      {flags: Given{"dev": "true", "admin": "0.0.0.0:4681"}, want: []string{"admin (flag --admin)"}},
		"one port for both":   {flags: Given{"admin": "127.0.0.1:4680"}, want: []string{"another port"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags := Given{}
			maps.Copy(flags, test.flags)
			if test.file != "" {
				flags[FileFlag] = writeFile(t, test.file)
			}
			_, err := Load(flags, test.env)
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\ndoes not say %q", err, part)
				}
			}
		})
	}
}

// Invariant 5: whatever is wrong is said at once, in order, and nothing that is not.
func TestEverythingWrongAtOnce(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "listen: nowhere\ndatas: x\nlogPartitions: 0\nhttp:\n  heartbeat: [1s]\n  origin: []\ncacheBytes: 1GiB\ncacheBytes: 2GiB\ndata:\n")
	at := func(line string) string { return "file " + file + ":" + line }
	_, err := Load(Given{FileFlag: file, "durability": "disk", "max-reads": "-1", "dev": "true", "admin": "0.0.0.0:4681", "flush-bytes": "32MiB"},
		[]string{"FRESHET_MAX_READS=many", "FRESHET_DATA=good", "FRESHET_LOG_LEVEL=loud"})
	var problems Problems
	if !errors.As(err, &problems) || !errors.Is(err, ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	want := [][]string{
		{"listen (" + at("1") + `): "nowhere" is not host:port; give`},
		{at("2") + ": the key datas is unknown; did you mean data?"},
		{"logPartitions (" + at("3") + `): "0" is not a whole number from 1 to 4096`},
		{"http.heartbeat (" + at("5") + ") must be one plain value"},
		{at("6") + ": the key http.origin is unknown; did you mean http.origins?"},
		{at("8") + ": cacheBytes is given twice, first in line 7"},
		{"data (" + at("9") + ") has no value"},
		{`durability (flag --durability): "disk" is unknown; give one of fsync, os`},
		{`maxReads (environment FRESHET_MAX_READS): "many"`, "from 0 to 1024"},
		{`maxReads (flag --max-reads): "-1"`, "from 0 to 1024"},
		{`logLevel (environment FRESHET_LOG_LEVEL): "loud"`, "debug, info, warn, error"},
		{`admin (flag --admin): "0.0.0.0:4681" can be reached from other machines`, "dev (flag --dev)"}, // and nothing of listen, which is not known
	}
	if len(problems) != len(want) {
		t.Errorf("%d problems, want %d", len(problems), len(want))
	}
	for i, problem := range problems {
		if i >= len(want) {
			t.Errorf("more than wanted: %v", problem)
			continue
		}
		for _, part := range want[i] {
			if !strings.Contains(problem.Error(), part) {
				t.Errorf("problem %d: %v\ndoes not say %q", i, problem, part)
			}
		}
	}
	if strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), ErrInvalid.Error()) != 1 {
		t.Errorf("not one sentence: %v", err)
	}
}

// A value that was refused is no reason to refuse another one: its default does not stand for it.
func TestRefusedValuesAreNotCompared(t *testing.T) {
	t.Parallel()
	for _, flags := range []Given{
		{"listen": "127.0.0.1:4681", "admin": "4682"}, // the default of admin
		{"listen": "4682", "admin": "127.0.0.1:4680"}, // the default of listen
		{"dev": "maybe", "listen": "0.0.0.0:4680"},
	} {
		var problems Problems
		if _, err := Load(flags, nil); !errors.As(err, &problems) || len(problems) != 1 {
			t.Errorf("%v: %v", flags, err)
		}
	}
}

func TestDevOnLoopback(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"} {
		if _, err := Load(Given{"dev": "true", "listen": address}, nil); err != nil {
			t.Error(err)
		}
	}
	if _, err := Load(Given{"listen": "0.0.0.0:1"}, nil); err != nil {
		t.Errorf("without dev: %v", err)
	}
}

// Invariant 3.
func TestUnknownVariablesWarn(t *testing.T) {
	t.Parallel()
	l, err := Load(nil, []string{"FRESHET_LISTN=x", "FRESHET_QQQQQQQQQ=", "FRESHET_URL=u", "FRESHET_TOKEN=t", "FRESHET_CONFORMANCE=c", "OTHER=1", "odd"})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Warnings) != 2 || !strings.Contains(l.Warnings[0], "did you mean FRESHET_LISTEN?") || strings.Contains(l.Warnings[1], "mean") {
		t.Errorf("warnings: %q", l.Warnings)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"16777216": 16 << 20, "17000000": 17_000_000, "20MiB": 20 << 20, "20 MiB": 20 << 20, "20480KiB": 20 << 20} {
		l, err := Load(Given{"segment-bytes": text}, nil)
		if err != nil || l.Config.SegmentBytes != want {
			t.Errorf("%s: %d, %v", text, l.Config.SegmentBytes, err)
		}
	}
}

func TestReportShowsValueAndOrigin(t *testing.T) {
	t.Parallel()
	l, err := Load(Given{"data": "/d"}, []string{"FRESHET_CACHE_BYTES=1GiB"})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := l.WriteReport(&b); err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(b.String()) {
		key, rest, _ := strings.Cut(line, " ")
		lines[key] = strings.Join(strings.Fields(rest), " ")
	}
	for key, want := range map[string]string{
		"data": "/d flag --data", "cacheBytes": "1GiB environment FRESHET_CACHE_BYTES",
		"listen": "127.0.0.1:4680 default", "http.origins": "(none) default",
	} {
		if lines[key] != want {
			t.Errorf("%s: %q, want %q", key, lines[key], want)
		}
	}
	if len(lines) != len(settings) {
		t.Errorf("%d lines for %d settings", len(lines), len(settings))
	}
}

func TestDocumentationIsCurrent(t *testing.T) {
	t.Parallel()
	name := filepath.Join("..", "..", "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(name, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil || string(got) != Markdown() {
		t.Errorf("docs/configuration.md differs from the table (%v); run go test ./internal/config -update", err)
	}
}

// Whatever the file holds, it is read or refused by name.
func FuzzFile(f *testing.F) {
	f.Add("listen: 127.0.0.1:0\nhttp:\n  origins: [https://a.example]\n")
	f.Add("a: &x\n  b: *x\n")
	f.Add("<<: {listen: x}\n? [a]\n: b\n")
	f.Add("- 1\n--- \n!!binary x")
	f.Fuzz(func(t *testing.T, text string) {
		l := newLoading()
		l.readFile("f", []byte(text))
		for _, problem := range l.problems {
			if !strings.Contains(problem.Error(), "file f") {
				t.Errorf("%q: %v", text, problem)
			}
		}
	})
}
