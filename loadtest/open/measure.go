package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/freshetdb/freshet/loadtest/load"
	"github.com/freshetdb/freshet/loadtest/process"
)

// answerWait bounds the wait for one answer.
const answerWait = time.Minute

// measurement is one run on one data folder.
type measurement struct {
	config
	data   string
	server *process.Process // nil: none runs
}

// appendDocument appends document n, of about m.bytes.
func (m *measurement) appendDocument(dst []byte, n int, rng *rand.Rand) []byte {
	before := len(dst)
	dst = fmt.Appendf(dst, `{"_id":"d%09d","group":%d,"score":%d,"text":"`, n, n/groupDocuments, rng.Uint64N(1<<40))
	for len(dst)-before < m.bytes-2 {
		dst = append(dst, 'a'+byte(rng.IntN(26)))
	}
	return append(dst, `"}`...)
}

// fill writes all documents in bulk requests.
func (m *measurement) fill(ctx context.Context) (string, error) {
	begin := time.Now()
	err := each(m.streams, func(i int) error {
		return m.stream(ctx, i*m.documents/m.streams, (i+1)*m.documents/m.streams)
	})
	took := time.Since(begin)
	return fmt.Sprintf("%v, %.0f documents/s", took.Round(100*time.Millisecond), float64(m.documents)/took.Seconds()), err
}

// stream writes documents [first, end) in one bulk request. The answers are read while it is being sent.
func (m *measurement) stream(ctx context.Context, first, end int) error {
	body, in := io.Pipe()
	go func() {
		rng := rand.New(rand.NewPCG(uint64(first), 5))
		out := bufio.NewWriterSize(in, 256<<10)
		var line []byte
		var err error
		for n := first; n < end && err == nil; n++ {
			line = append(line[:0], `{"operation":"insert","collection":"`+load.Collection+`","document":`...)
			line = append(m.appendDocument(line, n, rng), "}\n"...)
			_, err = out.Write(line)
		}
		_ = in.CloseWithError(errors.Join(err, out.Flush())) // it cannot fail
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+m.server.Listen+"/v1/bulk", body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // read only
	answers := bufio.NewReaderSize(response.Body, 256<<10)
	for n := first; n < end; n++ {
		line, err := answers.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("%d of %d documents were written: %w", n-first, end-first, err)
		}
		if !bytes.Contains(line, []byte(`"status":201`)) {
			return fmt.Errorf("the server answered %s", line)
		}
	}
	return nil
}

// index makes an index and waits until it is built.
func (m *measurement) index(ctx context.Context) (string, error) {
	begin := time.Now()
	err := load.MakeIndex(ctx, m.server.Listen, "group")
	return time.Since(begin).Round(time.Millisecond).String(), err
}

func (m *measurement) loads(ctx context.Context) (string, error) {
	return m.reads(ctx, 1, func(rng *rand.Rand) string { return fmt.Sprintf("/d%09d", rng.IntN(m.documents)) })
}

func (m *measurement) finds(ctx context.Context) (string, error) {
	return m.reads(ctx, groupDocuments, func(rng *rand.Rand) string {
		return "?filter=" + url.QueryEscape(fmt.Sprintf(`{"group":%d}`, rng.IntN(m.documents/groupDocuments)))
	})
}

// reads reads paths in a closed loop; each answer holds a number of documents.
func (m *measurement) reads(ctx context.Context, documents int, path func(*rand.Rand) string) (string, error) {
	counts, waits := make([]int, m.clients), make([][]time.Duration, m.clients)
	begin := time.Now()
	err := each(m.clients, func(i int) error {
		conn, err := net.DialTimeout("tcp", m.server.Listen, answerWait)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }() // read only
		in := bufio.NewReader(conn)
		rng := rand.New(rand.NewPCG(uint64(begin.UnixNano()), uint64(i)))
		for ctx.Err() == nil && time.Since(begin) < m.duration {
			from := time.Now()
			text, err := get(conn, in, "/v1/db/"+load.Collection+path(rng))
			if err != nil {
				return err
			}
			if n := bytes.Count(text, []byte(`"_id":`)); n != documents {
				return fmt.Errorf("%d documents, not %d: %.200s", n, documents, text)
			}
			counts[i]++
			waits[i] = append(waits[i], time.Since(from))
		}
		return ctx.Err()
	})
	took := time.Since(begin)
	total, all := 0, []time.Duration(nil)
	for i := range counts {
		total += counts[i]
		all = append(all, waits[i]...)
	}
	q := load.Measure(all)
	return fmt.Sprintf("%.0f/s, p50 %v, p99 %v", float64(total)/took.Seconds(), q.P50.Round(10*time.Microsecond), q.P99.Round(10*time.Microsecond)), err
}

func get(conn net.Conn, in *bufio.Reader, path string) ([]byte, error) {
	if err := conn.SetDeadline(time.Now().Add(answerWait)); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, conn.RemoteAddr()); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %.300s", path, response.Status, text)
	}
	return text, err
}

// cpu is the processor time that the running server has used, 0 where none runs.
func (m *measurement) cpu() time.Duration {
	if m.server == nil {
		return 0
	}
	spent, err := m.server.CPU()
	if err != nil {
		return 0 // it is about to be said that it ended
	}
	return spent
}

// row is what a step came to, and what the server then uses.
func (m *measurement) row(name, result string, spent time.Duration) ([]string, error) {
	log, err1 := folderBytes(filepath.Join(m.data, "log"))
	state, err2 := folderBytes(filepath.Join(m.data, "state"))
	row := []string{name, result, "", "", "", megabytes(log), megabytes(state)}
	if err := errors.Join(err1, err2); err != nil || m.server == nil {
		return row, err
	}
	row[2] = fmt.Sprintf("%.2f", spent.Seconds())
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.server.PID()))
	if err != nil {
		return row, err
	}
	if kib, ok := field(string(status), "VmRSS:"); ok {
		row[3] = megabytes(int64(kib) * 1024)
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+m.server.Admin+"/metrics", nil)
	if err != nil {
		return row, err
	}
	metrics, err := load.Answer(request)
	if err != nil {
		return row, err
	}
	if heap, ok := field(string(metrics), "go_memstats_heap_inuse_bytes "); ok {
		row[4] = megabytes(int64(heap))
	}
	return row, m.keepProfile(name)
}

// field is the number after a name at the beginning of a line.
func field(text, name string) (float64, bool) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return n, err == nil
		}
	}
	return 0, false
}

func megabytes(n int64) string { return fmt.Sprintf("%.0f", float64(n)/1e6) }

// folderBytes is what a folder's files take on the disk.
func folderBytes(folder string) (total int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return total, err
}

func (m *measurement) keepProfile(name string) error {
	if !m.profiled {
		return nil
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+m.server.Admin+"/debug/pprof/heap?gc=1", nil)
	if err != nil {
		return err
	}
	text, err := load.Answer(request)
	if err != nil {
		return err
	}
	return os.WriteFile("heap-"+strings.NewReplacer(" ", "-", ",", "").Replace(name)+".pprof", text, 0o644)
}
