// Postgres is a thin HTTP layer over one table of PostgreSQL, as much as a comparison needs: documents in a jsonb column,
// by id, in bulk, and by an indexed field. It holds no document itself; a write is answered when its transaction is committed.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	maxBodyBytes = 16 << 20
	startWait    = 30 * time.Second
	setup        = `CREATE TABLE things (id text PRIMARY KEY, doc jsonb NOT NULL);
CREATE INDEX things_group ON things (((doc->>'group')::bigint))`
	put  = `INSERT INTO things (id, doc) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc`
	load = `SELECT doc FROM things WHERE id = $1`
	find = `SELECT doc FROM things WHERE (doc->>'group')::bigint = $1 LIMIT $2`
)

type server struct{ pool *pgxpool.Pool }

func main() {
	database := flag.String("database", "", "address of the database")
	connections := flag.Int("connections", 64, "connections to the database")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *database, *connections); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, database string, connections int) error {
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		return err
	}
	config.MaxConns = int32(connections)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	for end := time.Now().Add(startWait); ; time.Sleep(100 * time.Millisecond) {
		if _, err = pool.Exec(ctx, setup); err == nil {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("prepare the database: %w", err)
		}
	}
	s := &server{pool}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /things/{id}", s.put)
	mux.HandleFunc("GET /things/{id}", s.get)
	mux.HandleFunc("GET /things", s.find)
	mux.HandleFunc("POST /bulk", s.bulk)
	mux.HandleFunc("POST /analyze", s.analyze)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = web.Close()
	}()
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func answer(w http.ResponseWriter, status int, text []byte, err error) {
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		http.Error(w, "there is none", http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(text)
	}
}

func (s *server) put(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes))
	if err == nil {
		_, err = s.pool.Exec(r.Context(), put, r.PathValue("id"), json.RawMessage(text))
	}
	answer(w, http.StatusOK, []byte("{}"), err)
}

func (s *server) get(w http.ResponseWriter, r *http.Request) {
	var text []byte
	err := s.pool.QueryRow(r.Context(), load, r.PathValue("id")).Scan(&text)
	answer(w, http.StatusOK, text, err)
}

func (s *server) find(w http.ResponseWriter, r *http.Request) {
	group, err1 := strconv.ParseInt(r.URL.Query().Get("group"), 10, 64)
	limit, err2 := strconv.Atoi(r.URL.Query().Get("limit"))
	if err := errors.Join(err1, err2); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rows, err := s.pool.Query(r.Context(), find, group, limit)
	if err != nil {
		answer(w, 0, nil, err)
		return
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
	body := []byte(`{"documents":[`)
	for i, text := range texts {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, text...)
	}
	answer(w, http.StatusOK, append(body, "]}"...), err)
}

// analyze has the database look at what the table holds, as it would by itself within a minute.
func (s *server) analyze(w http.ResponseWriter, r *http.Request) {
	_, err := s.pool.Exec(r.Context(), "VACUUM ANALYZE things")
	answer(w, http.StatusOK, []byte("{}"), err)
}

// bulk writes the lines of a request, {"id":...,"doc":...} each, in one transaction and one round trip.
func (s *server) bulk(w http.ResponseWriter, r *http.Request) {
	lines := bufio.NewScanner(io.LimitReader(r.Body, maxBodyBytes))
	lines.Buffer(nil, maxBodyBytes)
	batch := &pgx.Batch{}
	for lines.Scan() {
		var line struct {
			ID  string          `json:"id"`
			Doc json.RawMessage `json:"doc"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		batch.Queue(put, line.ID, line.Doc)
	}
	err := lines.Err()
	if err == nil {
		err = s.pool.SendBatch(r.Context(), batch).Close() // a batch outside a transaction is one
	}
	answer(w, http.StatusOK, fmt.Appendf(nil, `{"written":%d}`, batch.Len()), err)
}
