package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrLocked says that another process, or another opening in this one, holds the lock.
var ErrLocked = errors.New("locked by another process")

// OS is the operating system's file system.
type OS struct{}

const (
	fileMode      = 0o600
	directoryMode = 0o700
)

func (OS) MakeDirectory(name string) error {
	name = filepath.Clean(name)
	parent := filepath.Dir(name)
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		if parent != name {
			if err := (OS{}).MakeDirectory(parent); err != nil {
				return err
			}
		}
		if err := os.Mkdir(name, directoryMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return OS{}.SyncDirectory(parent)
	}
	return nil
}

func (OS) List(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func (OS) Create(name string) (File, error) {
	return open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

func (OS) Open(name string) (File, error) { return open(name, os.O_RDWR) }

func (OS) Rename(from, to string) error { return os.Rename(from, to) }

func (OS) Remove(name string) error { return os.Remove(name) }

func (OS) SyncDirectory(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (OS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
	}
	return f, nil
}

type osFile struct{ *os.File }

func open(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) SyncData() error { return syncData(f.File) }
