package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/disk"
	"github.com/freshetdb/freshet/matcher"
)

// The folders of a data folder, and of what a backup brings back.
const (
	StateFolder = "state"
	LogFolder   = "log"
)

// RestoredFile stands in a data folder that a backup was restored to, until its new time line has begun: whoever opens it
// must set Config.NewIncarnation, and remove the file once the store is ready.
const RestoredFile = "RESTORED"

// BackupVersion is the version of a backup's manifest.
const BackupVersion = 1

const (
	manifestName  = "BACKUP.json"
	filesFolder   = "files"
	copyingSuffix = ".copying" // of a stored file that is not whole yet
)

var (
	ErrBackupRunning = errors.New("another backup is running")
	ErrBackupDamaged = errors.New("the backup is damaged")
	ErrNoBackup      = errors.New("the log of this store cannot be backed up")
	ErrBackupFolder  = errors.New("a backup cannot be taken into the data folder")
)

// Backup describes a backup. It is also its manifest: the files say what a data folder held, and where in the backup's
// folder it is kept. A stored file never changes and is named after what it holds, so a backup that is made into the
// folder of an earlier one adds what is new, and the earlier one stays whole until the new manifest replaces it.
type Backup struct {
	Version       int          `json:"version"`
	Format        int          `json:"format"` // FolderFormat of the data folder; 0: 1
	Created       time.Time    `json:"created"`
	Incarnation   uint64       `json:"incarnation"`
	Position      string       `json:"position"` // on the wire: everything before it is in the backup
	LogPartitions int          `json:"logPartitions"`
	Bytes         int64        `json:"bytes"`
	Files         []BackupFile `json:"files"`
	CopiedBytes   int64        `json:"-"` // of those that the folder did not hold yet
}

// BackupFile is one file of a backup.
type BackupFile struct {
	Path   string `json:"path"`   // in the data folder, with slashes
	Stored string `json:"stored"` // in the backup's folder, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Modified is when a file of the state was last written, in nanoseconds since 1970. A state that is built anew gives the
	// same names, and now and then the same sizes, to other files.
	Modified int64 `json:"modified,omitempty"`
}

// Progress is told how much of a long copy is done, in bytes.
type Progress func(done, total int64)

// Backup copies the store's documents and the part of its log that they lack into a folder, while writes go on. What is
// written while it runs may be in it or not; what was acknowledged before it began is. The folder is made if it is
// missing; one of an earlier backup gets what is new. It must be neither the data folder nor within the log or the state
// (ErrBackupFolder), and the log a SegmentLog (ErrNoBackup).
func (s *Store) Backup(ctx context.Context, folder string, now time.Time, progress Progress) (b Backup, err error) {
	log, ok := s.log.(*ingest.SegmentLog)
	if !ok {
		return b, ErrNoBackup
	}
	if !s.backingUp.CompareAndSwap(false, true) {
		return b, ErrBackupRunning
	}
	defer s.backingUp.Store(false)
	if err := s.checkBackupFolder(folder); err != nil {
		return b, err
	}
	hold, err := log.Hold() // before the checkpoint, so that the log reaches back to it
	if err != nil {
		return b, fmt.Errorf("hold the log: %w", err)
	}
	defer hold.Release()
	checkpoint := checkpointDir(s.config.Dir)
	if err := s.config.FS.RemoveAll(checkpoint); err != nil {
		return b, fmt.Errorf("remove an old checkpoint: %w", err)
	}
	defer func() { err = errors.Join(err, s.config.FS.RemoveAll(checkpoint)) }()
	if err := s.db.Checkpoint(checkpoint); err != nil {
		return b, fmt.Errorf("checkpoint the state: %w", err)
	}
	vector, err := s.checkpointVector(checkpoint)
	if err != nil {
		return b, err
	}
	files, next, err := hold.Files(vector.Next)
	if err != nil {
		return b, fmt.Errorf("list the log: %w", err)
	}
	end := matcher.Vector{Incarnation: s.published.Load().vector.Incarnation, Next: next}
	c := copier{ctx: ctx, folder: folder, progress: progress, backup: Backup{
		Version: BackupVersion, Format: FolderFormat, Created: now.UTC(), Incarnation: end.Incarnation, Position: end.String(), LogPartitions: len(next) - 1,
	}}
	if err := c.readOld(); err != nil {
		return b, err
	}
	if err := c.addState(s.config.FS, checkpoint); err != nil {
		return b, err
	}
	for _, f := range files {
		c.add(source{
			path: path.Join(LogFolder, f.Name), bytes: f.Bytes, settled: f.Whole,
			open: func() (io.ReadCloser, error) { return openHeld(hold, f) },
		})
	}
	return c.run()
}

// checkBackupFolder refuses a folder in which a backup would mix with what it backs up, whatever links lead there.
func (s *Store) checkBackupFolder(folder string) error {
	for _, own := range []string{s.config.Dir, checkpointDir(s.config.Dir), s.config.LogDir} {
		if own == "" {
			continue
		}
		inside := sameFolder(folder, filepath.Dir(own))
		for at := filepath.Clean(folder); !inside; at = filepath.Dir(at) {
			inside = sameFolder(at, own)
			if at == filepath.Dir(at) {
				break
			}
		}
		if inside {
			return fmt.Errorf("%w: %s belongs to it; name a folder elsewhere, best on another disk", ErrBackupFolder, folder)
		}
	}
	return nil
}

func sameFolder(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// checkpointDir is where a backup's checkpoint of a state stands while it is copied. Its links keep files of the state on
// the disk.
func checkpointDir(dir string) string { return dir + ".backup" }

// checkpointVector reads how far the state in a checkpoint had come.
func (s *Store) checkpointVector(dir string) (v matcher.Vector, err error) {
	v.Next = make([]uint64, s.log.Partitions())
	db, err := pebble.Open(dir, &pebble.Options{FS: s.config.FS, ReadOnly: true, Logger: quiet{}})
	if err != nil {
		return v, fmt.Errorf("read the checkpoint: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	raw, closer, err := db.Get(keyVector)
	if errors.Is(err, pebble.ErrNotFound) {
		return v, nil // nothing has been flushed yet: all is in the log
	}
	if err != nil {
		return v, fmt.Errorf("read the checkpoint's vector: %w", err)
	}
	v, _, err = parseVector(raw)
	return v, errors.Join(err, closer.Close())
}

type heldReader struct {
	io.Reader
	io.Closer
}

func openHeld(hold *ingest.Hold, f ingest.HeldFile) (io.ReadCloser, error) {
	file, err := hold.Open(f.Name)
	if err != nil {
		return nil, err
	}
	return heldReader{io.NewSectionReader(file, 0, f.Bytes), file}, nil
}

// source is a file to be backed up.
type source struct {
	path     string
	bytes    int64
	settled  bool  // never changes under this name, as long as the time line goes on
	modified int64 // see BackupFile; 0: the time line is enough
	open     func() (io.ReadCloser, error)
}

// copier brings sources into a backup's folder.
type copier struct {
	ctx      context.Context
	folder   string
	progress Progress
	backup   Backup
	old      map[string]BackupFile // of the folder's last backup, by path; only of the same time line
	sources  []source
	total    int64
	done     int64
}

func (c *copier) add(s source) {
	c.sources = append(c.sources, s)
	c.total += s.bytes
}

func (c *copier) addState(from vfs.FS, dir string) error {
	names, err := from.List(dir)
	if err != nil {
		return fmt.Errorf("list the checkpoint: %w", err)
	}
	for _, name := range names {
		full := from.PathJoin(dir, name)
		info, err := from.Stat(full)
		if err != nil {
			return fmt.Errorf("list the checkpoint: %w", err)
		}
		c.add(source{
			path: path.Join(StateFolder, name), bytes: info.Size(), settled: path.Ext(name) == ".sst" || path.Ext(name) == ".blob",
			modified: info.ModTime().UnixNano(),
			open:     func() (io.ReadCloser, error) { return from.Open(full) },
		})
	}
	return nil
}

// readOld reads the folder's last backup. One that cannot be read is an error: its files would be removed in the end.
func (c *copier) readOld() error {
	if err := (disk.OS{}).MakeDirectory(filepath.Join(c.folder, filesFolder)); err != nil {
		return fmt.Errorf("make the backup's folder: %w", err)
	}
	old, err := readManifest(c.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; back up into another folder", err)
	}
	if old.Incarnation != c.backup.Incarnation {
		return nil
	}
	c.old = make(map[string]BackupFile, len(old.Files))
	for _, f := range old.Files {
		c.old[f.Path] = f
	}
	return nil
}

// run copies what is new, then replaces the manifest, then removes what nothing refers to any longer.
func (c *copier) run() (Backup, error) {
	for _, s := range c.sources {
		f, err := c.copy(s)
		if err != nil {
			return Backup{}, fmt.Errorf("back up %s: %w", s.path, err)
		}
		c.backup.Files = append(c.backup.Files, f)
		c.backup.Bytes += f.Bytes
	}
	text, err := json.MarshalIndent(c.backup, "", "  ")
	if err != nil {
		return Backup{}, err
	}
	if err := syncFolder(filepath.Join(c.folder, filesFolder)); err != nil {
		return Backup{}, fmt.Errorf("sync the backup's folder: %w", err)
	}
	if err := replaceFile(filepath.Join(c.folder, manifestName), append(text, '\n')); err != nil {
		return Backup{}, fmt.Errorf("write the backup's manifest: %w", err)
	}
	return c.backup, c.sweep()
}

func (c *copier) report(n int64) {
	c.done += n
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
}

// copy brings one file into the folder, unless it is there.
func (c *copier) copy(s source) (BackupFile, error) {
	if old, ok := c.old[s.path]; ok && s.settled && old.Bytes == s.bytes && old.Modified == s.modified {
		if info, err := os.Stat(filepath.Join(c.folder, filepath.FromSlash(old.Stored))); err == nil && info.Size() == s.bytes {
			c.report(s.bytes)
			return old, nil
		}
	}
	in, err := s.open()
	if err != nil {
		return BackupFile{}, err
	}
	defer in.Close()
	f, err := storeFile(c.ctx, c.folder, in, s, c.report)
	if err == nil {
		c.backup.CopiedBytes += f.Bytes
	}
	return f, err
}

// storeFile copies a file into the backup's folder, durably, under a name that says what it holds, and reads it back.
func storeFile(ctx context.Context, folder string, in io.Reader, s source, report func(int64)) (f BackupFile, err error) {
	temporary, err := os.CreateTemp(filepath.Join(folder, filesFolder), "*"+copyingSuffix)
	if err != nil {
		return f, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, temporary.Close(), os.Remove(temporary.Name()))
		}
	}()
	sum, n, err := copyHashed(ctx, temporary, in, report)
	if err != nil {
		return f, err
	}
	if n != s.bytes {
		return f, fmt.Errorf("it has %d bytes, %d were expected", n, s.bytes)
	}
	if err := temporary.Sync(); err != nil {
		return f, err
	}
	if _, err := temporary.Seek(0, io.SeekStart); err != nil {
		return f, err
	}
	if again, _, err := copyHashed(ctx, io.Discard, temporary, nil); err != nil || again != sum {
		return f, errors.Join(errors.New("what was written reads back differently"), err)
	}
	f = BackupFile{Path: s.path, Bytes: n, SHA256: sum, Modified: s.modified, Stored: path.Join(filesFolder, sum)}
	if err := os.Rename(temporary.Name(), filepath.Join(folder, filepath.FromSlash(f.Stored))); err != nil {
		return f, err
	}
	return f, temporary.Close()
}

// copyHashed copies and returns the SHA-256 of what it copied, in hexadecimal digits.
func copyHashed(ctx context.Context, to io.Writer, from io.Reader, report func(int64)) (sum string, n int64, err error) {
	hash := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return "", n, err
		}
		got, readErr := from.Read(buf)
		hash.Write(buf[:got])
		if _, err := to.Write(buf[:got]); err != nil {
			return "", n, err
		}
		n += int64(got)
		if report != nil {
			report(int64(got))
		}
		if errors.Is(readErr, io.EOF) {
			return hex.EncodeToString(hash.Sum(nil)), n, nil
		}
		if readErr != nil {
			return "", n, readErr
		}
	}
}

// isStored reports whether a name is one that a backup gives to a file. Whatever else stands in the folder is somebody's.
func isStored(name string) bool {
	sum, err := hex.DecodeString(name)
	return err == nil && len(sum) == sha256.Size || strings.HasSuffix(name, copyingSuffix)
}

// sweep removes stored files that the manifest does not name.
func (c *copier) sweep() error {
	used := make(map[string]bool, len(c.backup.Files))
	for _, f := range c.backup.Files {
		used[path.Base(f.Stored)] = true
	}
	entries, err := os.ReadDir(filepath.Join(c.folder, filesFolder))
	if err != nil {
		return fmt.Errorf("list the backup's files: %w", err)
	}
	for _, e := range entries {
		if !used[e.Name()] && !e.IsDir() && isStored(e.Name()) {
			if err := os.Remove(filepath.Join(c.folder, filesFolder, e.Name())); err != nil {
				return fmt.Errorf("remove a file of an earlier backup: %w", err)
			}
		}
	}
	return nil
}

func readManifest(folder string) (b Backup, err error) {
	text, err := os.ReadFile(filepath.Join(folder, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return b, fmt.Errorf("%s is no backup: %s is missing: %w", folder, manifestName, fs.ErrNotExist)
	}
	if err != nil {
		return b, fmt.Errorf("read the backup's manifest: %w", err)
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, fmt.Errorf("%w: its manifest %s cannot be read: %w", ErrBackupDamaged, manifestName, err)
	}
	if err := errors.Join(checkFormat("the backup "+folder, b.Version, BackupVersion), checkFormat("the data folder in the backup "+folder, b.Format, FolderFormat)); err != nil {
		return b, err
	}
	for _, f := range b.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) || !filepath.IsLocal(filepath.FromSlash(f.Stored)) {
			return b, fmt.Errorf("%w: its manifest names the file %q, which lies outside", ErrBackupDamaged, f.Path)
		}
	}
	return b, nil
}

// replaceFile writes a file so that it is the old or the new one after a crash.
func replaceFile(name string, text []byte) error {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

func syncFolder(name string) error { return disk.OS{}.SyncDirectory(name) }
