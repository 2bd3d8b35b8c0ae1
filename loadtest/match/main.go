// Match measures what `freshet match` costs over a file of JSON lines that it makes itself, next to jq and grep in the
// same run: megabytes a second of processor time (user and system, of all cores), time by the clock, and memory.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/freshetdb/freshet/loadtest/load"
)

// Bounds of one run.
const (
	MaxMegabytes = 100_000
	MaxRounds    = 100
)

type config struct {
	binary, folder string
	megabytes      int
	rounds         int
	seed           uint64
}

func main() {
	var c config
	flag.StringVar(&c.binary, "freshet", "", "the binary; empty builds one")
	flag.StringVar(&c.folder, "folder", "", "where the file is made; empty: the system's folder for temporary files")
	flag.IntVar(&c.megabytes, "megabytes", 300, "size of the file")
	flag.IntVar(&c.rounds, "rounds", 3, "runs of each command, one after the other; the one with the least processor time counts")
	flag.Uint64Var(&c.seed, "seed", 1, "of the file's contents")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "match:", err)
		os.Exit(1)
	}
}

// search is one question and the commands that answer it, by the same lines.
type search struct {
	name     string
	commands [][]string // the first is ours; the file's name is appended
}

func searches(freshet string) []search {
	return []search{
		{"one user of 5,000", [][]string{
			{freshet, "match", "--filter", `{"user":"u01234"}`},
			{freshet, "match", "--unchecked", "--filter", `{"user":"u01234"}`},
			{"jq", "-c", `select(.user=="u01234")`},
			{"grep", "-F", `"user":"u01234"`},
		}},
		{"status and a nested field", [][]string{
			{freshet, "match", "--filter", `{"status":{"$gte":500},"request.method":"POST"}`},
			{"jq", "-c", `select(.status>=500 and .request.method=="POST")`},
		}},
		{"a word in a text", [][]string{
			{freshet, "match", "--filter", `{"request.agent":{"$regex":"Edge"}}`},
			{"jq", "-c", `select(.request.agent|contains("Edge"))`},
			{"grep", "-F", `Edge`},
		}},
		{"the ten slowest", [][]string{
			{freshet, "match", "--sort", "-ms", "--limit", "10"},
		}},
		{"every line", [][]string{
			{freshet, "match"},
			{"jq", "-c", "."},
			{"grep", "-F", "{"},
		}},
	}
}

func run(ctx context.Context, c config) (err error) {
	if c.megabytes < 1 || c.megabytes > MaxMegabytes || c.rounds < 1 || c.rounds > MaxRounds {
		return fmt.Errorf("-megabytes must be 1 to %d, -rounds 1 to %d", MaxMegabytes, MaxRounds)
	}
	folder, err := os.MkdirTemp(c.folder, "freshet-match")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if c.binary == "" {
		c.binary = filepath.Join(folder, "freshet")
		if err := load.Build(c.binary); err != nil {
			return err
		}
	}
	file := filepath.Join(folder, "requests.ndjson")
	size, count, err := writeFile(ctx, file, int64(c.megabytes)<<20, c.seed)
	if err != nil {
		return err
	}
	fmt.Printf("%d lines, %.0f MB, seed %d; best of %d runs\n\n", count, float64(size)/1e6, c.seed, c.rounds)
	rows := [][]string{{"search", "command", "lines", "CPU s", "MB per CPU s", "s", "MB of memory"}}
	for _, s := range searches(c.binary) {
		more, err := s.measure(ctx, c.rounds, file, size)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	return load.PrintTable(os.Stdout, rows)
}

// measure runs the commands in turn, so that a busy moment of the machine meets all of them.
func (s search) measure(ctx context.Context, rounds int, file string, size int64) (rows [][]string, err error) {
	best := make([]cost, len(s.commands))
	for round := range rounds {
		for i, command := range s.commands {
			if _, err := exec.LookPath(command[0]); err != nil {
				continue
			}
			got, err := measure(ctx, append(command[1:len(command):len(command)], file), command[0])
			if err != nil {
				return nil, err
			}
			if round == 0 || got.cpu < best[i].cpu {
				best[i] = got
			}
		}
	}
	for i, command := range s.commands {
		b := best[i]
		name := filepath.Base(command[0])
		if slices.Contains(command, "--unchecked") {
			name += " --unchecked"
		}
		switch {
		case b.cpu == 0:
			rows = append(rows, []string{s.name, name, "not installed", "", "", "", ""})
			continue
		case b.lines != best[0].lines:
			return nil, fmt.Errorf("%s: %s found %d lines, freshet %d", s.name, name, b.lines, best[0].lines)
		}
		rows = append(rows, []string{s.name, name, fmt.Sprint(b.lines), fmt.Sprintf("%.2f", b.cpu.Seconds()),
			fmt.Sprintf("%.0f", float64(size)/1e6/b.cpu.Seconds()), fmt.Sprintf("%.2f", b.clock.Seconds()), fmt.Sprint(b.peakBytes >> 20)})
	}
	return rows, nil
}

// writeFile writes lines such as a web server logs them, until there are size bytes.
func writeFile(ctx context.Context, name string, size int64, seed uint64) (written int64, lines int, err error) {
	file, err := os.Create(name)
	if err != nil {
		return 0, 0, fmt.Errorf("make the file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	random := rand.New(rand.NewPCG(seed, 0))
	out := bufio.NewWriterSize(file, 1<<20)
	for ; written < size && ctx.Err() == nil; lines++ {
		n, err := io.WriteString(out, line(random, lines))
		if err != nil {
			return 0, 0, fmt.Errorf("write the file: %w", err)
		}
		written += int64(n)
	}
	return written, lines, errors.Join(ctx.Err(), out.Flush())
}

var (
	methods = []string{"GET", "GET", "GET", "GET", "POST", "PUT"}
	states  = []int{200, 200, 200, 200, 200, 201, 304, 404, 500, 503}
	cities  = []string{"Hamburg", "Lagos", "São Paulo", "Osaka", "Kraków", "Lima"}
	agents  = []string{"Firefox/142.0", "Chrome/140.0.0.0 Safari/537.36", "Version/18.6 Safari/605.1.15", "Chrome/140.0.0.0 Edge/140.0"}
)

func line(random *rand.Rand, i int) string {
	pick := func(texts []string) string { return texts[random.IntN(len(texts))] }
	return fmt.Sprintf(`{"_id":"r%09d","at":{"$date":"2026-03-%02dT%02d:%02d:%02dZ"},"user":"u%05d","status":%d,"ms":%.3f,"bytes":%d,`+
		`"request":{"method":"%s","path":"/shop/%d/item-%d","agent":"Mozilla/5.0 (X11; Linux x86_64) %s","referrer":null},`+
		`"place":{"city":"%s","at":[%.4f,%.4f]},"tags":["web","shop-%d"],"cached":%t}`+"\n",
		i, 1+random.IntN(31), random.IntN(24), random.IntN(60), random.IntN(60), random.IntN(5000), states[random.IntN(len(states))],
		random.ExpFloat64()*80, random.IntN(1<<20), pick(methods), random.IntN(40), random.IntN(1e6), pick(agents),
		pick(cities), random.Float64()*360-180, random.Float64()*180-90, random.IntN(40), random.IntN(3) == 0)
}
