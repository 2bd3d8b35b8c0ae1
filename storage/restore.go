package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/freshetdb/freshet/ingest/disk"
)

// VerifyBackup reads a whole backup and holds it against its manifest. What differs is ErrBackupDamaged, with the file.
func VerifyBackup(ctx context.Context, folder string, progress Progress) (Backup, error) {
	return readBackup(ctx, folder, progress, func(BackupFile) (io.WriteCloser, error) { return discard{}, nil })
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Close() error                { return nil }

// RestoringFolder is where a restore into a data folder gathers what it brings, until that is whole.
func RestoringFolder(data string) string { return filepath.Clean(data) + ".restoring" }

// Restore makes a data folder of a backup. The folder must be missing or empty, and appears whole or not at all: a backup
// that does not verify restores nothing. The first start begins a new time line: positions from before are answered with
// a reset.
func Restore(ctx context.Context, folder, data string, progress Progress) (b Backup, err error) {
	entries, err := os.ReadDir(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return b, fmt.Errorf("look into the data folder: %w", err)
	case len(entries) > 0:
		return b, fmt.Errorf("the data folder %s is not empty: give one that is, or move it away", data)
	}
	temporary := RestoringFolder(data)
	if err := os.RemoveAll(temporary); err != nil {
		return b, fmt.Errorf("remove what an earlier restore left: %w", err)
	}
	if err := (disk.OS{}).MakeDirectory(filepath.Dir(temporary)); err != nil {
		return b, fmt.Errorf("make the folder of the data folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temporary))
		}
	}()
	b, err = readBackup(ctx, folder, progress, func(f BackupFile) (io.WriteCloser, error) {
		name := filepath.Join(temporary, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return syncedFile{file}, err
	})
	if err != nil {
		return b, err
	}
	for _, name := range []string{StateFolder, LogFolder} {
		if err := syncFolder(filepath.Join(temporary, name)); err != nil {
			return b, err
		}
	}
	if err := WriteFormat(temporary); err != nil {
		return b, err
	}
	if err := replaceFile(filepath.Join(temporary, RestoredFile), []byte(b.Position+"\n")); err != nil {
		return b, err
	}
	if err := os.Rename(temporary, data); err != nil {
		return b, err
	}
	return b, syncFolder(filepath.Dir(filepath.Clean(data)))
}

// syncedFile is durable once it is closed.
type syncedFile struct{ *os.File }

func (f syncedFile) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

// readBackup copies the files of a backup to where to says, checked.
func readBackup(ctx context.Context, folder string, progress Progress, to func(BackupFile) (io.WriteCloser, error)) (Backup, error) {
	b, err := readManifest(folder)
	if err != nil {
		return b, err
	}
	done := int64(0)
	report := func(n int64) {
		done += n
		if progress != nil {
			progress(done, b.Bytes)
		}
	}
	for _, f := range b.Files {
		if err := readStored(ctx, folder, f, report, to); err != nil {
			return b, fmt.Errorf("read %s of the backup: %w", f.Path, err)
		}
	}
	return b, nil
}

func readStored(ctx context.Context, folder string, f BackupFile, report func(int64), to func(BackupFile) (io.WriteCloser, error)) error {
	in, err := os.Open(filepath.Join(folder, filepath.FromSlash(f.Stored)))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBackupDamaged, err)
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := to(f)
	if err != nil {
		return err
	}
	sum, n, err := copyHashed(ctx, out, in, report)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	if n != f.Bytes || sum != f.SHA256 {
		return fmt.Errorf("%w: %s holds %d bytes with the SHA-256 %s, the manifest says %d and %s; take another backup",
			ErrBackupDamaged, f.Stored, n, sum, f.Bytes, f.SHA256)
	}
	return nil
}
