package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// serveBoth starts a node and returns the addresses of both its ports.
func serveBoth(t *testing.T, data string, args ...string) (p *process, url, admin string) {
	t.Helper()
	p = start(t, nil, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data}, args...)...)
	var serving struct{ Listen, Admin string }
	if err := json.Unmarshal([]byte(line(t, p.stderr, `"message":"serving"`)), &serving); err != nil {
		t.Fatal(err)
	}
	return p, "http://" + serving.Listen, "http://" + serving.Admin
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func (p *process) stopInOrder(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if text, code := p.rest(t); code != ExitOK {
		t.Fatalf("exit %d: %s", code, text)
	}
}

// Back up a running server, restore elsewhere, check, serve, and find what was there when the backup began.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	data, folder, restored := filepath.Join(base, "data"), filepath.Join(base, "backup"), filepath.Join(base, "restored")
	server, url, admin := serveBoth(t, data, "--dev")
	request(t, http.MethodPut, url+"/v1/db/pages/a", `{"title":"one"}`)
	want := get(t, url+"/v1/db/pages/a")
	position := positionOf(t, url)

	ok := func(out string, args ...string) {
		t.Helper()
		if r := invoke(t, nil, args...); r.code != ExitOK || !strings.Contains(r.stdout, out) {
			t.Fatalf("%q: exit %d, %q, %q; want %q", args, r.code, r.stdout, r.stderr, out)
		}
	}
	fails := func(text string, args ...string) {
		t.Helper()
		if r := invoke(t, nil, args...); r.code != ExitFailure || !strings.Contains(r.stderr, text) {
			t.Fatalf("%q: exit %d, %q; want %q", args, r.code, r.stderr, text)
		}
	}
	fails("cannot be taken into the data folder", "backup", data, "--admin-url", admin)
	ok("new; position "+position, "backup", folder, "--admin-url", admin)
	request(t, http.MethodPut, url+"/v1/db/pages/b", `{"title":"after the backup"}`)
	ok("whole", "backup", folder, "--verify")
	fails("is its admin port at http://127.0.0.1:1?", "backup", folder, "--admin-url", "http://127.0.0.1:1")
	fails("refused", "backup", folder, "--admin-url", url) // the public port takes none
	fails("no data folder", "data", "check", base)
	fails("in use by another process", "data", "check", data)
	fails("is no backup", "backup", data, "--verify")
	fails("is no backup", "restore", data, "--data", restored)

	ok("restored to "+restored, "restore", folder, "--data", restored)
	fails("not empty", "restore", folder, "--data", restored)
	ok("all is well", "data", "check", restored)
	second, url2, _ := serveBoth(t, restored, "--dev")
	if got := get(t, url2+"/v1/db/pages/a"); got != want {
		t.Errorf("restored: %s, want %s", got, want)
	}
	if got := get(t, url2+"/v1/db/pages/b"); !strings.Contains(got, "document-not-found") {
		t.Errorf("written after the backup: %s", got)
	}
	if got := positionOf(t, url2); got == position {
		t.Error("the restored server goes on with the time line of the old one")
	}
	if _, err := os.Stat(filepath.Join(restored, "RESTORED")); err == nil {
		t.Error("the mark of the restore is still there: every start would begin a new time line")
	}
	second.stopInOrder(t)
	server.stopInOrder(t)
	ok("all is well", "data", "check", data)

	stored, err := filepath.Glob(filepath.Join(folder, "files", "*"))
	if err != nil || len(stored) < 3 {
		t.Fatalf("%q, %v", stored, err)
	}
	if err := os.WriteFile(stored[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails("the backup is damaged", "backup", folder, "--verify")
	fails("the backup is damaged", "restore", folder, "--data", filepath.Join(base, "never"))
}

func positionOf(t *testing.T, url string) string {
	t.Helper()
	var answer struct{ Position string }
	if err := json.Unmarshal([]byte(get(t, url+"/v1/db/pages")), &answer); err != nil || answer.Position == "" {
		t.Fatalf("no position: %v", err)
	}
	return answer.Position
}
