// Package openmiosatest starts the real system for Go tests: server, egressd and cell, with a state folder and a port of
// their own, which leave nothing behind.
//
//	func TestMyAgent(t *testing.T) {
//		system := openmiosatest.Start(t, nil)
//		sandbox, err := system.Client.Sandboxes.Create(context.Background(), "", nil)
//		…
//	}
//
// It needs the command `openmiosa` on PATH (pip install openmiosa-server), or its path in OPENMIOSA_COMMAND.
package openmiosatest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
)

// patience is how long the system may take to serve, and to end.
const patience = time.Minute

// Options says how the system is started; nil is a good one.
type Options struct {
	// Config is a configuration file whose settings are merged in, such as static hosts for stand-ins.
	Config string
	// Env has more variables for the system, as NAME=VALUE.
	Env []string
}

// System is a system that runs.
type System struct {
	// Client has the key of the first administrator.
	Client *openmiosa.Client
	// BaseURL and APIKey are for programs that the test starts; as MIOSA_BASE_URL and MIOSA_API_KEY every client reads them.
	BaseURL string
	APIKey  string
	// State is the folder that holds everything, logs too; it is removed at the end.
	State string

	process *exec.Cmd
	stdin   io.Closer
	log     *lastLines
	ended   chan error
	once    sync.Once
	failure error
}

// Start starts the system, and ends it with the test. It fails the test when the system cannot be started.
func Start(t testing.TB, options *Options) *System {
	t.Helper()
	system, err := Run(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
	})
	return system
}

// Run starts the system, for a TestMain or a program that has no test; Close ends it.
func Run(options *Options) (*System, error) {
	if options == nil {
		options = &Options{}
	}
	system, out, err := launched(options)
	if err != nil {
		return nil, err
	}
	if err := system.announced(out); err != nil {
		_ = system.Close()
		return nil, err
	}
	client, err := openmiosa.NewClient(openmiosa.WithAPIKey(system.APIKey), openmiosa.WithBaseURL(system.BaseURL))
	if err != nil {
		_ = system.Close()
		return nil, err
	}
	system.Client = client
	return system, nil
}

// Close ends the system and everything that it made; a second call does nothing.
func (s *System) Close() error {
	s.once.Do(func() {
		if s.Client != nil {
			s.Client.Close()
		}
		_ = s.stdin.Close() // It ends when nobody holds its standard input any more.
		select {
		case err := <-s.ended:
			if err != nil {
				s.failure = fmt.Errorf("the system did not end well (%w); it said last:\n%s", err, s.log)
			}
		case <-time.After(patience):
			_ = s.process.Process.Signal(syscall.SIGTERM)
			s.failure = fmt.Errorf("the system did not end within %v; it said last:\n%s", patience, s.log)
		}
	})
	return s.failure
}

// Logs gives the last lines that the system wrote.
func (s *System) Logs() string { return s.log.String() }

// launched starts the command and gives what it will write to its standard output.
func launched(options *Options) (*System, io.Reader, error) {
	command := os.Getenv("OPENMIOSA_COMMAND")
	if command == "" {
		command = "openmiosa"
	}
	found, err := exec.LookPath(command)
	if err != nil {
		return nil, nil, fmt.Errorf("there is no command %q: `pip install openmiosa-server` brings it, OPENMIOSA_COMMAND says where it is (%w)", command, err)
	}
	arguments := []string{"up", "--ephemeral"}
	if options.Config != "" {
		arguments = append(arguments, "--config", options.Config)
	}
	system := &System{process: exec.Command(found, arguments...), log: &lastLines{}, ended: make(chan error, 1)}
	system.process.Env = append(os.Environ(), options.Env...)
	system.process.Stderr = system.log
	stdin, err := system.process.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	// A pipe of our own: the one that exec makes is closed by Wait, perhaps before its line was read.
	out, into, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	system.stdin, system.process.Stdout = stdin, into
	err = system.process.Start()
	_ = into.Close()
	if err != nil {
		return nil, nil, err
	}
	go func() { system.ended <- system.process.Wait() }()
	return system, out, nil
}

// announced waits for the line that says where the system is.
func (s *System) announced(out io.Reader) error {
	line := make(chan []byte, 1)
	go func() {
		said, _ := bufio.NewReader(out).ReadBytes('\n')
		line <- said
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case said := <-line:
		var where struct {
			BaseURL string `json:"base_url"`
			APIKey  string `json:"api_key"`
			State   string `json:"state"`
		}
		if json.Unmarshal(said, &where) != nil || where.BaseURL == "" {
			return fmt.Errorf("the system did not start; it said last:\n%s", s.log.settled(s.ended))
		}
		s.BaseURL, s.APIKey, s.State = where.BaseURL, where.APIKey, where.State
		return nil
	case <-time.After(patience):
		return fmt.Errorf("the system did not serve within %v; it said last:\n%s", patience, s.log)
	}
}

// lastLines keeps the end of what a program writes.
type lastLines struct {
	lock sync.Mutex
	kept bytes.Buffer
}

// Write keeps the last 64 KiB.
func (l *lastLines) Write(text []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.kept.Write(text)
	if more := l.kept.Len() - 1<<16; more > 0 {
		l.kept.Next(more)
	}
	return len(text), nil
}

// String gives what was kept.
func (l *lastLines) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.kept.String()
}

// settled gives what was kept once the program has ended, as its reason may still be on its way.
func (l *lastLines) settled(ended chan error) string {
	select {
	case err := <-ended:
		ended <- err
	case <-time.After(patience):
	}
	return l.String()
}
