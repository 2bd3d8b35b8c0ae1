package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// beside measures the machine in the same seconds as the server: a TCP round trip to a child process that does nothing
// but answer, and an append with fdatasync on the server's file system. A tick wakes it; a tick that finds it busy is
// left out.
type beside struct {
	child      *exec.Cmd
	stdin      io.Closer
	connection net.Conn
	request    []byte
	reply      []byte
	file       *os.File
	record     []byte

	ticks   chan int
	workers sync.WaitGroup
	bare    []time.Duration // owned by the worker until stop
	disk    []time.Duration
	err     error
}

// fileBytes is how much of the file is there before the first write, as a log would have it.
const fileBytes = 16 << 20

// diskEvery is how many ticks go by between two fdatasyncs, so that they hardly disturb the server's.
const diskEvery = 10

func startBeside(requestBytes, replyBytes int, folder string, recordBytes int) (*beside, error) {
	b := &beside{request: make([]byte, requestBytes), reply: make([]byte, replyBytes), record: make([]byte, recordBytes), ticks: make(chan int, 1)}
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the own program: %w", err)
	}
	b.child = exec.Command(executable, "-echo", fmt.Sprintf("%d/%d", requestBytes, replyBytes))
	b.child.Stderr = os.Stderr
	if b.stdin, err = b.child.StdinPipe(); err != nil {
		return nil, fmt.Errorf("open the echo's input: %w", err)
	}
	output, err := b.child.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("open the echo's output: %w", err)
	}
	if err := b.child.Start(); err != nil {
		return nil, fmt.Errorf("start the echo: %w", err)
	}
	err = b.open(output, folder)
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.workers.Go(b.work)
	return b, nil
}

func (b *beside) open(output io.Reader, folder string) error {
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read the echo's address: %w", err)
	}
	if b.connection, err = net.DialTimeout("tcp", strings.TrimSpace(address), 5*time.Second); err != nil {
		return fmt.Errorf("connect to the echo: %w", err)
	}
	b.file, err = os.Create(filepath.Join(folder, "beside"))
	if err != nil {
		return fmt.Errorf("make a file: %w", err)
	}
	if _, err := b.file.Write(make([]byte, fileBytes)); err != nil {
		return fmt.Errorf("fill a file: %w", err)
	}
	return b.file.Sync()
}

func (b *beside) tick(n int) {
	select {
	case b.ticks <- n:
	default:
	}
}

func (b *beside) work() {
	for n := range b.ticks {
		if b.err != nil {
			continue
		}
		b.err = b.roundTrip()
		if b.err == nil && n%diskEvery == 0 {
			b.err = b.sync()
		}
	}
}

func (b *beside) roundTrip() error {
	from := time.Now()
	if _, err := b.connection.Write(b.request); err != nil {
		return fmt.Errorf("write to the echo: %w", err)
	}
	if _, err := io.ReadFull(b.connection, b.reply); err != nil {
		return fmt.Errorf("read from the echo: %w", err)
	}
	b.bare = append(b.bare, time.Since(from))
	return nil
}

func (b *beside) sync() error {
	at := int64(len(b.disk)*len(b.record)) % (fileBytes - int64(len(b.record)))
	from := time.Now()
	if _, err := b.file.WriteAt(b.record, at); err != nil {
		return fmt.Errorf("write a file: %w", err)
	}
	if err := dataSync(b.file); err != nil {
		return fmt.Errorf("sync a file: %w", err)
	}
	b.disk = append(b.disk, time.Since(from))
	return nil
}

// stop ends it and returns what it measured; err is the error of the run so far.
func (b *beside) stop(err error) (bare, disk []time.Duration, _ error) {
	close(b.ticks)
	b.workers.Wait()
	return b.bare, b.disk, errors.Join(err, b.err, b.close())
}

func (b *beside) close() error {
	var err error
	if b.connection != nil {
		err = b.connection.Close()
	}
	if b.file != nil {
		err = errors.Join(err, b.file.Close())
	}
	return errors.Join(err, b.stdin.Close(), b.child.Wait())
}

// serveEcho is the child: it answers requests of one size with replies of another until its input or the connection
// ends.
func serveEcho(sizes string) error {
	var requestBytes, replyBytes int
	if _, err := fmt.Sscanf(sizes, "%d/%d", &requestBytes, &replyBytes); err != nil {
		return fmt.Errorf("read the sizes: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Println(listener.Addr())
	go func() { // the parent is gone: so are we
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	connection, err := listener.Accept()
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	request, reply := make([]byte, requestBytes), make([]byte, replyBytes)
	for {
		if _, err := io.ReadFull(connection, request); err != nil {
			return nil // the parent has closed it
		}
		if _, err := connection.Write(reply); err != nil {
			return nil
		}
	}
}
