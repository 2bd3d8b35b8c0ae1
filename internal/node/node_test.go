package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/freshetdb/freshet/internal/config"
	"github.com/freshetdb/freshet/storage"
)

// tree is every file under a folder, with a hash of what it holds.
func tree(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		fmt.Fprintf(&b, "%s %x\n", strings.TrimPrefix(name, root), sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What a server keeps is its owner's alone, also in a folder that was made for all to read.
func TestDataIsTheOwnersAlone(t *testing.T) {
	cfg := config.Default()
	cfg.Data = t.TempDir()
	if err := os.Chmod(cfg.Data, 0o755); err != nil {
		t.Fatal(err)
	}
	logger := zerolog.Nop()
	n, err := open(cfg, &logger)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(cfg.Data)
	if err != nil || len(entries) < 3 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

// A data folder states its format. One that a newer program has written is refused, with folder, versions and what to do,
// before anything in it is changed.
func TestNewerDataFolder(t *testing.T) {
	cfg := config.Default()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	logger := zerolog.Nop()
	n, err := open(cfg, &logger)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.close(); err != nil {
		t.Fatal(err)
	}
	format := filepath.Join(cfg.Data, storage.FormatFile)
	good, err := os.ReadFile(format)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(good), fmt.Sprint(storage.FolderFormat), fmt.Sprint(storage.FolderFormat+1), 1)
	if err := os.WriteFile(format, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Data, storage.LogFolder, "what a newer program keeps.tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := tree(t, cfg.Data)
	cfg.Listen, cfg.Admin = "127.0.0.1:0", "127.0.0.1:0"
	err = Run(context.Background(), cfg)
	if !errors.Is(err, storage.ErrFormat) || !strings.Contains(err.Error(), fmt.Sprintf("has format %d, this program reads up to %d: use", storage.FolderFormat+1, storage.FolderFormat)) || !strings.Contains(err.Error(), cfg.Data) {
		t.Errorf("got %v", err)
	}
	if after := tree(t, cfg.Data); after != before {
		t.Errorf("the refused folder was changed from\n%s\nto\n%s", before, after)
	}
	if err := os.WriteFile(format, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err = open(cfg, &logger); err != nil {
		t.Fatal(err)
	}
	if err := n.close(); err != nil {
		t.Fatal(err)
	}
}
