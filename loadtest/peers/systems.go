package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/freshetdb/freshet/loadtest/load"
)

const (
	foundDocuments = 20 // a find's limit
	jsonKind       = "application/json"
	linesKind      = "application/x-ndjson"
)

// system is one that is compared: how it is started and how it is asked.
type system struct {
	name, note string
	start      func(ctx context.Context, folder string) (*running, error)
	put        func(id, document string) request
	bulk       func(ids, documents []string) request
	get        func(id string) request
	find       func(group int) request
	holds      string // what the answer to a read has once for each document
	wrote      string // what the answer to a batch has once for each document; "": PostgreSQL's layer gives their number
}

func (c config) systems(ctx context.Context, folder string) (list []system, err error) {
	wanted := func(name string) bool {
		return c.only == "" || strings.Contains(","+c.only+",", ","+name+",")
	}
	if wanted("freshet") {
		list = append(list, c.freshetSystem())
	}
	if wanted("postgres") {
		s, err := c.postgresSystem(ctx, folder)
		if errors.Is(err, errMissing) {
			fmt.Fprintf(os.Stderr, "peers: PostgreSQL is left out: %v\n", err)
		} else if err != nil {
			return nil, err
		} else {
			list = append(list, s)
		}
	}
	if wanted("pocketbase") {
		s, err := c.pocketbaseSystem(ctx, folder)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("-only is %q; known are freshet, postgres and pocketbase", c.only)
	}
	return list, nil
}

var errMissing = errors.New("it is not on this machine")

// wroteAll is what the answer to a batch of n documents must hold, and how often.
func (s system) wroteAll(n int) (text string, times int) {
	if s.wrote == "" {
		return fmt.Sprintf(`"written":%d}`, n), 1
	}
	return s.wrote, n
}

// build builds a program of a module of its own.
func build(ctx context.Context, binary, module, folder string) (string, error) {
	if binary != "" {
		return binary, nil
	}
	binary = filepath.Join(folder, module)
	fmt.Fprintf(os.Stderr, "peers: building %s\n", module)
	command := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	command.Dir = filepath.Join("loadtest", "peers", module)
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s (run this at the root of the repository): %w: %s", command.Dir, err, out)
	}
	return binary, nil
}

func (c config) freshetSystem() system {
	const base = "/v1/db/things"
	s := system{
		name:  "Freshet",
		note:  "one process; --durability fsync; keeps revisions, a history for live queries and request ids beside the documents",
		holds: `"_id":`,
		wrote: `"_rev":`,
		put: func(id, document string) request {
			return request{method: "PUT", path: base + "/" + id, kind: jsonKind, header: "Prefer: return=minimal\r\n", body: document}
		},
		bulk: func(ids, documents []string) request {
			var lines strings.Builder
			for i, id := range ids {
				fmt.Fprintf(&lines, `{"operation":"replace","collection":"things","_id":"%s","document":%s}`+"\n", id, documents[i])
			}
			return request{method: "POST", path: "/v1/bulk", kind: linesKind, body: lines.String()}
		},
		get: func(id string) request { return request{method: "GET", path: base + "/" + id} },
		find: func(group int) request {
			return request{method: "GET", path: fmt.Sprintf(`%s?filter={"group":%d}&limit=%d`, base, group, foundDocuments)}
		},
	}
	s.start = func(_ context.Context, folder string) (*running, error) {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return nil, err
		}
		server, err := load.Start(c.freshet, folder)
		if err != nil {
			return nil, err
		}
		r := &running{address: server.Listen, pids: []int{server.PID()}, stops: []func() error{server.Stop}}
		r.filled = func() error { return index(server.Listen) }
		return r, nil
	}
	return s
}

// index makes the index and waits until it has been built.
func index(address string) error {
	conn, err := dial(address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.close() }()
	const path = "/v1/db/things:indexes/group"
	if _, err := conn.send(request{method: "PUT", path: path, kind: jsonKind, body: `{"keys":[["group",1]]}`}); err != nil {
		return err
	}
	for end := time.Now().Add(answerWait); time.Now().Before(end); {
		body, err := conn.send(request{method: "GET", path: path})
		var status struct{ State string }
		if err == nil {
			err = json.Unmarshal(body, &status)
		}
		if err != nil || status.State == "ready" {
			return err
		}
	}
	return errors.New("the index was not built in time")
}

// freeAddress is one on loopback that nobody listens at.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func (c config) pocketbaseSystem(ctx context.Context, folder string) (s system, err error) {
	binary, err := build(ctx, c.pocketbase, "pocketbase", folder)
	if err != nil {
		return s, err
	}
	const base = "/api/collections/things/records"
	record := func(id, document string) string { return `{"id":"` + id + `",` + document[1:] }
	return system{
		name:  "PocketBase",
		note:  "one process; SQLite with WAL and synchronous=FULL (its own default, NORMAL, may lose the last writes with the power); request log off; typed columns; keeps no history",
		holds: `"collectionId":`,
		wrote: `"collectionId":`,
		put: func(id, document string) request {
			return request{method: "PATCH", path: base + "/" + id, kind: jsonKind, body: document}
		},
		bulk: func(ids, documents []string) request {
			requests := make([]string, len(ids))
			for i, id := range ids {
				requests[i] = `{"method":"PUT","url":"` + base + `","body":` + record(id, documents[i]) + `}`
			}
			return request{method: "POST", path: "/api/batch", kind: jsonKind, body: `{"requests":[` + strings.Join(requests, ",") + `]}`}
		},
		get: func(id string) request { return request{method: "GET", path: base + "/" + id} },
		find: func(group int) request {
			return request{method: "GET", path: fmt.Sprintf("%s?filter=(group=%d)&perPage=%d&skipTotal=1", base, group, foundDocuments)}
		},
		start: func(ctx context.Context, folder string) (*running, error) {
			address, err := freeAddress()
			if err != nil {
				return nil, err
			}
			p := &child{command: exec.Command(binary, "serve", "--http", address, "--dir", folder), ending: syscall.SIGTERM}
			if err := p.start(); err != nil {
				return nil, err
			}
			r := &running{address: address}
			r.add(p)
			if err := r.reached(ctx, p); err != nil {
				return nil, errors.Join(err, r.stop())
			}
			return r, nil
		},
	}, nil
}

// postgresTool finds a program of PostgreSQL's server.
func postgresTool(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%w: no %s in PATH or below /usr/lib/postgresql", errMissing, name)
	}
	return found[len(found)-1], nil
}

// otherUser is whom PostgreSQL runs as where this program runs as root, which it refuses. nil: the user who runs this.
func otherUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w: it does not run as root, and there is no user postgres to run it as", errMissing)
	}
	uid, err1 := strconv.ParseUint(found.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(found.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

const layerConnections = 64

func (c config) postgresSystem(ctx context.Context, folder string) (s system, err error) {
	postgres, err1 := postgresTool("postgres")
	initdb, err2 := postgresTool("initdb")
	as, err3 := otherUser()
	if err := errors.Join(err1, err2, err3); err != nil {
		return s, err
	}
	layer, err := build(ctx, c.layer, "postgres", folder)
	if err != nil {
		return s, err
	}
	version, err := exec.CommandContext(ctx, postgres, "--version").Output()
	if err != nil {
		return s, err
	}
	return system{
		name: "PostgreSQL + Go layer",
		note: strings.TrimSpace(string(version)) + fmt.Sprintf(" with fsync and synchronous_commit on, shared_buffers 256 MB, and a layer of net/http and pgx with %d connections; "+
			"jsonb with an index on the field; the layer checks nothing, and has no revisions, users or live queries; both count", layerConnections),
		holds: `"text":`,
		put: func(id, document string) request {
			return request{method: "PUT", path: "/things/" + id, kind: jsonKind, body: document}
		},
		bulk: func(ids, documents []string) request {
			var lines strings.Builder
			for i, id := range ids {
				fmt.Fprintf(&lines, `{"id":"%s","doc":%s}`+"\n", id, documents[i])
			}
			return request{method: "POST", path: "/bulk", kind: linesKind, body: lines.String()}
		},
		get: func(id string) request { return request{method: "GET", path: "/things/" + id} },
		find: func(group int) request {
			return request{method: "GET", path: fmt.Sprintf("/things?group=%d&limit=%d", group, foundDocuments)}
		},
		start: func(ctx context.Context, folder string) (*running, error) {
			return startPostgres(ctx, postgres, initdb, layer, folder, as)
		},
	}, nil
}

func startPostgres(ctx context.Context, postgres, initdb, layer, folder string, as *syscall.Credential) (r *running, err error) {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(name, args...)
		c.Dir = folder
		if as != nil {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		}
		return c
	}
	if as != nil {
		if err := os.Chown(folder, int(as.Uid), int(as.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(folder, "data")
	if out, err := command(initdb, "-D", data, "-U", "freshet", "--auth=trust", "--encoding=UTF8", "--locale=C").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	database := &child{ending: syscall.SIGINT, command: command(postgres, "-D", data, "-c", "listen_addresses=127.0.0.1", "-c", "port="+port,
		"-c", "unix_socket_directories=", "-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB")}
	if err := database.start(); err != nil {
		return nil, err
	}
	r = &running{address: address}
	r.add(database)
	defer func() {
		if err != nil {
			err = errors.Join(err, r.stop())
		}
	}()
	if err := r.reached(ctx, database); err != nil {
		return nil, err
	}
	web := &child{ending: syscall.SIGTERM, command: exec.Command(layer, "-connections", strconv.Itoa(layerConnections),
		"-database", "postgres://freshet@"+address+"/postgres?sslmode=disable")}
	out, err := web.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := web.start(); err != nil {
		return nil, err
	}
	r.add(web)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, web.failed("did not come to serve")
	}
	r.address = strings.TrimSpace(line)
	r.filled = func() error {
		conn, err := dial(r.address)
		if err == nil {
			_, err = conn.send(request{method: "POST", path: "/analyze"})
			err = errors.Join(err, conn.close())
		}
		return err
	}
	return r, nil
}
