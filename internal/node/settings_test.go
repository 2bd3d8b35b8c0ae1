package node

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/internal/config"
	"github.com/freshetdb/freshet/storage"
)

// A data folder that a restore did not finish is not served, however its name is written.
func TestRunRefusesUnfinishedRestore(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(storage.RestoringFolder(data), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{data, data + "/", filepath.Dir(data) + "/./data"} {
		cfg := config.Default()
		cfg.Data, cfg.Listen, cfg.Admin = name, "127.0.0.1:0", "127.0.0.1:0"
		if err := Run(ctx, cfg); err == nil || !strings.Contains(err.Error(), "data.restoring is there") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// As many writes as may wait for the loop must not be too far behind what they were computed from.
func TestWriteLagSpansWhatWaits(t *testing.T) {
	if _, err := config.Load(config.Given{"max-write-lag": strconv.Itoa(storage.MaxWaitingWrites)}, nil); err == nil {
		t.Errorf("a maxWriteLag of %d is taken, and as many writes may wait", storage.MaxWaitingWrites)
	}
}
