package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/freshetdb/freshet/internal/client"
	"github.com/freshetdb/freshet/matcher"
)

const (
	// MaxPendingWrites and MaxPendingBytes bound the writes of an import that wait for their answers.
	MaxPendingWrites = 4096
	MaxPendingBytes  = 8 << 20
	// MaxAttempts bounds connections in a row that got no write answered: with their pauses about a minute.
	MaxAttempts = 12

	readAheadRecords = 256
)

// Modes of an import.
const (
	Insert  = "insert"  // a document that is there already is a failure
	Upsert  = "upsert"  // replaces the document with its _id, or makes it
	Replace = "replace" // a document that is missing is a failure
)

// Modes are all modes.
var Modes = []string{Insert, Upsert, Replace}

// ErrTooManyFailures means that an import was given up.
var ErrTooManyFailures = errors.New("too many documents failed")

// Counts are what became of an import's documents.
type Counts struct {
	Records  int64 `json:"records"`  // answered, or failed without being sent
	Inserted int64 `json:"inserted"` // made, or found made by an earlier try of the same write
	Replaced int64 `json:"replaced"`
	Repeated int64 `json:"repeated"` // found there, made by an earlier import with the same seed
	Failed   int64 `json:"failed"`
}

// Import is one import of documents into a collection.
type Import struct {
	URL, Token string
	Collection string
	Mode       string
	Seed       string // see invariant 2
	Records    Reader
	MaxFailed  int64 // more failures end the import; 0: no bound

	// Failed is told of each document that was not written, Settled of how far the import has come: all records up to
	// Counts.Records are done, and sum stands for all their documents. Lost is told of a lost connection. They are called
	// by one goroutine at a time; the first two may be nil.
	Failed  func(line int, err error)
	Settled func(c Counts, sum []byte) error
	Lost    func(cause error, wait time.Duration)

	// Skip is where an earlier run came to, with the sum of its documents.
	Skip    Counts
	SkipSum []byte

	counts    Counts
	sums      hash.Hash
	records   chan sourced
	pending   pendingWrites
	ended     bool  // all records of the file have been taken
	fileError error // why they are not all of the file
}

// write is a record on its way.
type write struct {
	line   int
	object []byte // the write object, with its line feed
	id     string // "" if the document has none of its own
	sum    []byte
	err    error // it is not to be sent
}

type sourced struct {
	write write
	err   error // of the whole file; io.EOF
}

// Run reads and writes all documents. The error is nil also where documents failed: see the counts.
func (im *Import) Run(ctx context.Context) (Counts, error) {
	im.counts, im.sums = im.Skip, sha256.New()
	for _, part := range []string{im.Seed, im.Collection, im.Mode} {
		im.sums.Write(fmt.Appendf(nil, "%d:%s", len(part), part))
	}
	ctx, cancel := context.WithCancel(ctx)
	im.records = make(chan sourced, readAheadRecords)
	im.pending.init()
	defer cancel()
	go im.read(ctx)
	err := im.send(ctx)
	return im.counts, err
}

// read hands on the file's records as writes.
func (im *Import) read(ctx context.Context) {
	for n := int64(1); ; n++ {
		r, err := im.Records.Next()
		next := sourced{err: err}
		if err == nil {
			next.write = im.writeOf(r)
			if n == im.Skip.Records && !slices.Equal(next.write.sum, im.SkipSum) {
				next.err = fmt.Errorf("%w: its first %d documents are not those that were imported; take the file that the import began with, or begin anew with another --resume file", ErrFormat, n)
			}
		} else if errors.Is(err, io.EOF) && n <= im.Skip.Records {
			next.err = fmt.Errorf("%w: it has %d documents, but %d were imported before", ErrFormat, n-1, im.Skip.Records)
		}
		if next.err == nil && n <= im.Skip.Records {
			continue
		}
		select {
		case im.records <- next:
		case <-ctx.Done():
			return
		}
		if next.err != nil {
			return
		}
	}
}

// keyBytes of a sum make an idempotency key.
const keyBytes = 24

func (im *Import) writeOf(r Record) write {
	im.sums.Write(r.Text)
	im.sums.Write([]byte{'\n'})
	w := write{line: r.Line, id: r.ID, sum: im.sums.Sum(nil), err: r.Err}
	if r.Err != nil {
		return w
	}
	operation := "insert"
	if im.Mode != Insert && (r.ID != "" || im.Mode == Replace) {
		operation = "replace"
	}
	object := append(make([]byte, 0, len(r.Text)+160), `{"operation":"`...)
	object = append(append(object, operation...), `","collection":`...)
	object = matcher.AppendString(object, []byte(im.Collection))
	if im.Mode == Replace {
		object = append(object, `,"ifMatch":"*"`...)
	}
	object = append(object, `,"idempotencyKey":"`...)
	object = base64.RawURLEncoding.AppendEncode(object, w.sum[:keyBytes])
	object = append(object, `","document":`...)
	w.object = append(append(object, r.Text...), "}\n"...)
	return w
}

// send keeps connections going until all records are answered.
func (im *Import) send(ctx context.Context) error {
	reached := false
	for attempt := 1; ; attempt++ {
		if err := im.await(ctx); err != nil || im.pending.empty() {
			return err
		}
		before := im.counts.Records
		over, err := im.connect(ctx)
		switch {
		case ctx.Err() != nil:
			return im.stopped(ctx)
		case over:
			return err
		case im.pending.empty(): // the server ended a connection on which nothing was to be said
			attempt, reached = 0, true
			continue
		case im.counts.Records > before:
			attempt = 1
		}
		if reached = reached || im.counts.Records > before || !errors.Is(err, client.ErrUnreachable); !reached || attempt >= MaxAttempts {
			return err
		}
		wait := client.Backoff(attempt, rand.Float64())
		im.Lost(err, wait)
		select {
		case <-ctx.Done():
			return im.stopped(ctx)
		case <-time.After(wait):
		}
	}
}

func (im *Import) stopped(ctx context.Context) error {
	return fmt.Errorf("stopped after %d documents: %w", im.counts.Records, context.Cause(ctx))
}

// await waits until there is something to send, or nothing any more.
func (im *Import) await(ctx context.Context) error {
	if im.pending.empty() && !im.ended {
		select {
		case r := <-im.records:
			im.take(r)
		case <-ctx.Done():
			return im.stopped(ctx)
		}
	}
	if im.ended && im.pending.empty() {
		return im.fileError
	}
	return nil
}

// take has a record sent, or notes the end of the file.
func (im *Import) take(r sourced) {
	switch {
	case r.err == nil:
		im.pending.add(r.write)
		return
	case errors.Is(r.err, ErrFormat):
		im.fileError = r.err
	case !errors.Is(r.err, io.EOF):
		im.fileError = fmt.Errorf("read the file: %w", r.err)
	}
	im.ended = true
}

// settle takes the outcome of the oldest write that waits.
func (im *Import) settle(w write, a answer) error {
	im.counts.Records++
	switch {
	case w.err != nil:
		return im.failed(w, w.err)
	case a.Problem != nil && a.Problem.Code == "already-exists" && w.id == "":
		im.counts.Repeated++ // its _id follows from the key, so nobody else made it
	case a.Problem != nil:
		return im.failed(w, a.Problem)
	case a.Status == 201:
		im.counts.Inserted++
	default:
		im.counts.Replaced++
	}
	return im.settled(w)
}

func (im *Import) settled(w write) error {
	if im.Settled == nil {
		return nil
	}
	return im.Settled(im.counts, w.sum)
}

func (im *Import) failed(w write, err error) error {
	im.counts.Failed++
	if im.Failed != nil {
		im.Failed(w.line, err)
	}
	if err := im.settled(w); err != nil {
		return err
	}
	if im.MaxFailed > 0 && im.counts.Failed > im.MaxFailed {
		return fmt.Errorf("%w: more than %d", ErrTooManyFailures, im.MaxFailed)
	}
	return nil
}
