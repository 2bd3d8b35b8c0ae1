package transfer

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Progress is how far an import came, in a file from which another run goes on.
type Progress struct {
	Version    int    `json:"version"`
	Collection string `json:"collection"`
	Mode       string `json:"mode"`
	Seed       string `json:"seed"`
	Counts
	Sum []byte `json:"sum,omitempty"` // of the documents of all records that are done
}

const progressVersion = 1

// Begin loads the progress file with the given name, or makes one for an import that begins.
func Begin(name, collection, mode string) (Progress, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		p := Progress{Version: progressVersion, Collection: collection, Mode: mode, Seed: rand.Text()}
		return p, p.Save(name)
	}
	var p Progress
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	switch {
	case err != nil:
		return p, fmt.Errorf("read the progress file %s: %w", name, err)
	case p.Version != progressVersion || p.Seed == "":
		return p, fmt.Errorf("%s is no progress file of this program; name another file, it is made when it is missing", name)
	case p.Collection != collection || p.Mode != mode:
		return p, fmt.Errorf("the progress file %s is that of an import into %s with --mode %s; name another file, it is made when it is missing", name, p.Collection, p.Mode)
	}
	return p, nil
}

// Save writes the file; it holds this progress or the one before, whatever happens.
func (p Progress) Save(name string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".freshet-import-*")
	if err != nil {
		return fmt.Errorf("write the progress file: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write the progress file %s: %w", name, errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}
