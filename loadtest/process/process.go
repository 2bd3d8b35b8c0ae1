package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// MaxStderrBytes bounds what is kept of a child's standard error: the first half and the last half of it.
const MaxStderrBytes = 256 << 10

// MaxStartWait bounds how long a server may take until it serves (a replay of its log included).
const MaxStartWait = 60 * time.Second

// ErrNotServing says that the child ended, or was ended, before it served.
var ErrNotServing = errors.New("the server did not come to serve")

// Process is a running server.
type Process struct {
	Listen string // host:port of the public listener
	Admin  string // host:port of the admin listener

	command *exec.Cmd
	done    chan struct{} // closed when the child has ended

	mu     sync.Mutex
	stderr []byte
}

// Dev is the arguments of a server for tests: open to loopback, free ports, the given data folder.
func Dev(data string, more ...string) []string {
	return append([]string{"serve", "--dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data}, more...)
}

// Start runs the binary and waits until it serves.
func Start(binary string, args ...string) (*Process, error) {
	p, serving, err := launch(binary, args)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(MaxStartWait)
	defer timer.Stop()
	select {
	case line := <-serving:
		p.Listen, p.Admin = line.Listen, line.Admin
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("%w: exit code %d: %s", ErrNotServing, p.ExitCode(), p.Stderr())
	case <-timer.C:
		if err := p.Kill(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w within %v: %s", ErrNotServing, MaxStartWait, p.Stderr())
	}
}

// RunToEnd runs the binary until it ends by itself, at most for the given time, and returns its exit code and what it
// wrote on standard error.
func RunToEnd(timeout time.Duration, binary string, args ...string) (code int, stderr string, err error) {
	p, _, err := launch(binary, args)
	if err != nil {
		return 0, "", err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.ExitCode(), p.Stderr(), nil
	case <-timer.C:
		err := fmt.Errorf("%s did not end within %v: %s", strings.Join(args, " "), timeout, p.Stderr())
		return 0, "", errors.Join(err, p.Kill())
	}
}

type servingLine struct{ Message, Listen, Admin string }

func launch(binary string, args []string) (*Process, <-chan servingLine, error) {
	p := &Process{command: exec.Command(binary, args...), done: make(chan struct{})}
	pipe, err := p.command.StderrPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("open the server's standard error: %w", err)
	}
	// FRESHET_* settings of the caller would change what is tested.
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "FRESHET_") {
			p.command.Env = append(p.command.Env, variable)
		}
	}
	if err := p.command.Start(); err != nil {
		return nil, nil, fmt.Errorf("start the server: %w", err)
	}
	serving := make(chan servingLine, 1)
	go p.watch(pipe, serving)
	return p, serving, nil
}

func (p *Process) watch(pipe io.Reader, serving chan<- servingLine) {
	defer close(p.done)
	r := bufio.NewReaderSize(pipe, 64<<10)
	for {
		line, err := r.ReadString('\n')
		p.keep(line)
		var s servingLine
		if json.Unmarshal([]byte(line), &s) == nil && s.Message == "serving" {
			select {
			case serving <- s:
			default: // said twice
			}
		}
		if err != nil {
			break
		}
	}
	_ = p.command.Wait() // the exit code says it all
}

func (p *Process) keep(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stderr = append(p.stderr, line...)
	if over := len(p.stderr) - MaxStderrBytes; over > 0 {
		half := MaxStderrBytes / 2
		p.stderr = append(p.stderr[:half], p.stderr[half+over:]...)
	}
}

// Stderr is what the child wrote on standard error so far.
func (p *Process) Stderr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.stderr)
}

// PID is the child's process id.
func (p *Process) PID() int { return p.command.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is the child's exit code once it has ended; -1 if a signal ended it.
func (p *Process) ExitCode() int { return p.command.ProcessState.ExitCode() }

// Kill ends the child as a crash would (SIGKILL) and waits for it. It does nothing if it has ended.
func (p *Process) Kill() error { return p.end(syscall.SIGKILL, 10*time.Second) }

// Terminate asks the child to stop (SIGTERM) and waits for it; it is killed if it takes longer than the timeout.
func (p *Process) Terminate(timeout time.Duration) error {
	err := p.end(syscall.SIGTERM, timeout)
	if err != nil {
		return errors.Join(err, p.Kill())
	}
	return nil
}

func (p *Process) end(signal syscall.Signal, timeout time.Duration) error {
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to process %d: %w", signal, p.PID(), err)
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("process %d did not end within %v after %v", p.PID(), timeout, signal)
	}
}

// CPU is the processor time that the child has used (user and system), from /proc; its resolution is 10 ms.
func (p *Process) CPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return 0, fmt.Errorf("read the server's processor time: %w", err)
	}
	return parseCPU(string(text))
}

// parseCPU reads fields 14 and 15 (utime, stime) of /proc/<pid>/stat (proc_pid_stat(5)), in ticks of 1/100 s. The
// second field, the command in parentheses, may hold blanks.
func parseCPU(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%.80q is no process status", stat)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the server's processor time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100), nil
}
