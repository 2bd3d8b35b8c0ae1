package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/freshetdb/freshet/storage"
)

// backupPath is where the admin port takes backups.
const backupPath = "/v1/admin/backup"

// progressEvery is how often a backup says how far it has come.
const progressEvery = 200 * time.Millisecond

// backup answers POST /v1/admin/backup {"folder":"/absolute/path"}: lines of JSON, {"done":n,"total":n} while it runs, and
// at its end {"backup":{...}} or {"problem":{...}}. The folder is one of the server's machine. A client that goes away
// ends the backup; what is in the folder of an earlier one stays whole.
func (g *Gateway) backup(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return &Problem{Code: "method-not-allowed", Detail: "A backup is taken with POST.", Allow: "POST"}
	}
	if _, err := checkContentType(r, contentJSON); err != nil {
		return err
	}
	text, err := readBody(w, r, 64<<10)
	if err != nil {
		return err
	}
	in, err := jsonInput(text, []string{"folder"})
	if err != nil {
		return err
	}
	folder := in.text("folder")
	if !filepath.IsAbs(folder) {
		in.fail("folder", "the absolute path of a folder on the server's machine")
	}
	if in.err != nil {
		return in.err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(g.background, cancel)()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	lines := json.NewEncoder(w)
	flush := http.NewResponseController(w).Flush
	var next time.Time
	b, err := g.store.Backup(ctx, folder, g.now(), func(done, total int64) {
		if now := g.now(); now.After(next) {
			next = now.Add(progressEvery)
			_ = errors.Join(lines.Encode(backupProgress{done, total}), flush()) // who went away has ended ctx
		}
	})
	if err != nil {
		g.cfg.Log.Error().Err(err).Str("folder", folder).Msg("backup failed")
		_ = lines.Encode(map[string]json.RawMessage{"problem": backupProblem(err).body()})
		return nil
	}
	g.cfg.Log.Info().Str("folder", folder).Int64("bytes", b.Bytes).Int64("copied", b.CopiedBytes).Msg("backup taken")
	_ = lines.Encode(map[string]backupDone{"backup": {
		Position: b.Position, Created: b.Created, Files: len(b.Files), Bytes: b.Bytes, CopiedBytes: b.CopiedBytes,
	}})
	return nil
}

type backupProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

type backupDone struct {
	Position    string    `json:"position"`
	Created     time.Time `json:"created"`
	Files       int       `json:"files"`
	Bytes       int64     `json:"bytes"`
	CopiedBytes int64     `json:"copiedBytes"`
}

// backupProblem tells root, who alone may ask, what went wrong on the server's disk.
func backupProblem(err error) *Problem {
	if errors.Is(err, storage.ErrBackupRunning) {
		return problemf("backup-running", "Another backup is running; wait for its end.")
	}
	if errors.Is(err, storage.ErrBackupFolder) {
		return &Problem{Code: "field-invalid", Path: "/folder", Detail: err.Error() + "."}
	}
	return problemf("backup-failed", "%v", err)
}
