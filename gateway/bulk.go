package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// What one bulk request has on its way at once. Beyond it, nothing more is read from the client: a client that does not
// read its answers is not read from.
const (
	MaxBulkBatchWrites = 128
	MaxBulkBatchBytes  = 1 << 20 // and one line
	MaxBulkBatches     = 8
)

// bulkIdleTimeout is how long a bulk request may stay silent.
const bulkIdleTimeout = time.Minute

const contentNDJSON = "application/x-ndjson"

// bulkBatch is lines that are handed over, waited for and answered together.
type bulkBatch struct {
	lines   []bulkLine // its capacity is fixed, so that a line does not move
	waiting atomic.Int32
	done    chan struct{} // closed once every line has its outcome
	failure *Problem      // why no more lines are read, at line failed
	failed  int
}

type bulkLine struct {
	number    int
	operation string
	id        string
	written   storage.Written
	err       error
}

func newBulkBatch() *bulkBatch {
	b := &bulkBatch{lines: make([]bulkLine, 0, MaxBulkBatchWrites), done: make(chan struct{})}
	b.waiting.Store(1) // the reader's own
	return b
}

// settle notes that one more of what the batch waits for is there.
func (b *bulkBatch) settle() {
	if b.waiting.Add(-1) == 0 {
		close(b.done)
	}
}

// bulk answers POST /v1/bulk: one goroutine reads lines and begins their writes, this one writes the outcomes in order.
func (c *call) bulk() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	if _, err := checkContentType(c.r, contentNDJSON, "application/ndjson", "application/jsonl"); err != nil {
		return err
	}
	control := http.NewResponseController(c.w)
	if err := control.EnableFullDuplex(); err != nil {
		return fmt.Errorf("read and write a bulk request at once: %w", err)
	}
	c.w.Header().Set("Content-Type", contentNDJSON)
	c.w.WriteHeader(http.StatusOK)
	b := &bulkReader{c: c, control: control, in: bufio.NewReaderSize(c.r.Body, 64<<10)}
	ctx, cancel := context.WithCancel(c.r.Context())
	defer cancel()
	// A stop of the server ends the reading; what was begun is answered.
	defer context.AfterFunc(c.background, func() { cancel(); b.stop() })()
	batches := make(chan *bulkBatch, MaxBulkBatches)
	go func() {
		defer close(batches)
		b.read(ctx, batches)
	}()
	var text []byte
	var failed error
	for batch := range batches {
		<-batch.done // the store calls back for every write that was begun
		if failed != nil {
			continue
		}
		text = c.appendBatch(text[:0], batch)
		if failed = b.write(text, len(batches) == 0); failed != nil {
			cancel()
			b.stop()
		}
	}
	return nil // a client that went away is nobody's loss
}

// bulkReader reads the lines of one bulk request.
type bulkReader struct {
	c       *call
	control *http.ResponseController
	in      *bufio.Reader
	line    []byte // of the line that is read; reused
	number  int
}

// stop ends a read that waits. It fails only on a connection that is closed.
func (b *bulkReader) stop() { _ = b.control.SetReadDeadline(time.Unix(1, 0)) }

func (b *bulkReader) write(text []byte, flush bool) error {
	if err := b.control.SetWriteDeadline(time.Now().Add(b.c.cfg.WriteTimeout)); err != nil {
		return err
	}
	if _, err := b.c.w.Write(text); err != nil || !flush {
		return err
	}
	return b.control.Flush()
}

// read begins the writes of all lines, in batches of what has come.
func (b *bulkReader) read(ctx context.Context, batches chan<- *bulkBatch) {
	for over := false; !over; {
		batch := newBulkBatch()
		over = b.fill(ctx, batch)
		batch.settle()
		batches <- batch // waits while as many as may be are on their way
	}
}

// fill takes lines into a batch until it is full or no whole line has come; over is true after the last one.
func (b *bulkReader) fill(ctx context.Context, batch *bulkBatch) (over bool) {
	for size := 0; len(batch.lines) < MaxBulkBatchWrites && size < MaxBulkBatchBytes; {
		if len(batch.lines) > 0 && !b.ready() {
			return false
		}
		line, err := b.next(ctx)
		size += len(line)
		if errors.Is(err, errLineTooLong) {
			batch.refuse(b.number, err)
			continue
		}
		if len(bytes.TrimSpace(line)) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			b.begin(ctx, batch, line)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				batch.failure, batch.failed = b.failure(err), b.number
			}
			return true
		}
	}
	return false
}

// ready reports whether a whole line has come already.
func (b *bulkReader) ready() bool {
	waiting, err := b.in.Peek(b.in.Buffered())
	return err == nil && bytes.IndexByte(waiting, '\n') >= 0
}

var errLineTooLong = errors.New("the line is too long")

// next reads a line. It is valid until the next one. A line that is too long is skipped to its end.
func (b *bulkReader) next(ctx context.Context) ([]byte, error) {
	b.number++
	b.line = b.line[:0]
	tooLong := false
	for {
		if !b.ready() {
			if err := errors.Join(ctx.Err(), b.control.SetReadDeadline(time.Now().Add(bulkIdleTimeout))); err != nil {
				return nil, err
			}
			if ctx.Err() != nil { // the stop may have come between
				b.stop()
			}
		}
		part, err := b.in.ReadSlice('\n')
		if tooLong = tooLong || int64(len(b.line)+len(part)) > b.c.cfg.MaxBodyBytes; !tooLong {
			b.line = append(b.line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case tooLong:
			return nil, errLineTooLong
		}
		return b.line, err
	}
}

// MaxBulkOverloads bounds the groups of writes that a line waits for where too many writes are waiting already.
const MaxBulkOverloads = 10_000

// begin begins the write of one line. Where too many writes are waiting it waits as well: a client that loads documents has
// nothing better to do, and reading on would take later lines first.
func (b *bulkReader) begin(ctx context.Context, batch *bulkBatch, text []byte) {
	batch.lines = append(batch.lines, bulkLine{number: b.number})
	line := &batch.lines[len(batch.lines)-1]
	object, err := b.c.parseWriteObject(text)
	var in writeInput
	if err == nil {
		in, err = readWriteObject(object)
	}
	if err != nil {
		line.err = err
		return
	}
	line.operation = in.operation
	for tries := 0; ; tries++ {
		overloaded := false // nothing of the write was begun, so it is known at once
		batch.waiting.Add(1)
		b.c.beginWrite(b.c.route.app, in, func(id string, w storage.Written, err error) {
			if errors.Is(err, storage.ErrOverloaded) {
				overloaded = true
			}
			line.id, line.written, line.err = id, w, err
			batch.settle()
		})
		if !overloaded || tries >= MaxBulkOverloads {
			return
		}
		b.c.metrics.bulkWaits.Inc()
		if b.c.store.Boundary(ctx, func(n *storage.Snapshot) { _ = n.Close() }) != nil { // nothing is read from it
			return
		}
	}
}

// refuse notes a line that is none.
func (batch *bulkBatch) refuse(number int, err error) {
	batch.lines = append(batch.lines, bulkLine{number: number, err: err})
}

// failure says why reading ended before the end of the body.
func (b *bulkReader) failure(err error) *Problem {
	if errors.Is(err, context.Canceled) || b.c.background.Err() != nil {
		return problemf("draining", "The server is stopping: this line and those after it were not read.")
	}
	return &Problem{Code: "json-invalid", Detail: "The body ended early: this line and those after it were not read.", Underlying: err}
}

// appendBatch appends the answers to a batch's lines.
func (c *call) appendBatch(dst []byte, batch *bulkBatch) []byte {
	for i := range batch.lines {
		line := &batch.lines[i]
		if line.err != nil {
			dst = c.appendBulkProblem(dst, line.number, c.lineProblem(line.err))
			continue
		}
		dst = strconv.AppendInt(append(dst, `{"line":`...), int64(line.number), 10)
		dst = strconv.AppendInt(append(dst, `,"status":`...), int64(statusOf(line.written)), 10)
		dst = append(c.appendWritten(append(dst, ','), line.id, line.written), '}', '\n')
	}
	if batch.failure != nil {
		dst = c.appendBulkProblem(dst, batch.failed, batch.failure)
	}
	return dst
}

func (c *call) lineProblem(err error) *Problem {
	if errors.Is(err, errLineTooLong) {
		return &Problem{Code: "body-too-large", Limit: c.cfg.MaxBodyBytes, Detail: fmt.Sprintf(
			"The line has more than the %d bytes that one may have; write a smaller document, or raise maxDocumentBytes.", c.cfg.MaxBodyBytes)}
	}
	return problemOf(err)
}

func (c *call) appendBulkProblem(dst []byte, number int, p *Problem) []byte {
	c.note(p, "bulk line")
	dst = strconv.AppendInt(append(dst, `{"line":`...), int64(number), 10)
	dst = append(append(dst, `,"problem":`...), p.body()...)
	return append(dst, '}', '\n')
}

// statusOf is what the write would be answered with over HTTP.
func statusOf(w storage.Written) int {
	switch {
	case w.Document == nil:
		return http.StatusNoContent
	case w.Operation == matcher.OperationInsert:
		return http.StatusCreated
	}
	return http.StatusOK
}
