// Package ws opens terminals in sandboxes, over WebSockets.
//
// It is a module of its own: the WebSocket library is its only dependency, and whoever needs no terminal needs no dependency
// at all.
//
//	terminal, err := ws.Shell(ctx, sandbox, nil)
//	defer terminal.Close()
//	fmt.Fprintln(terminal, "ls -l")
//	for output, err := range terminal.Output(ctx) { … }
package ws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"
	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
	"github.com/openmiosa/openmiosa/sdks/go/internal/socket"
)

const (
	// longestMessage is the longest message that is read; the server's are far below it.
	longestMessage = 16 << 20
	longestRefusal = 1 << 20
	// stderrMark begins messages of standard error where there is no terminal to mix the two.
	stderrMark = 0x02
)

// Options says what is started and how large its window is.
type Options struct {
	// Command goes to a shell; a shell of one's own is started when it is empty.
	Command string
	// Args are run as they are, without a shell.
	Args []string
	Dir  string
	Env  map[string]string
	// Rows and Cols are 24 and 80 when they are 0.
	Rows, Cols int
	// NoTTY connects pipes and no terminal: standard error is told apart, and CloseStdin ends the input.
	NoTTY bool
}

// Output is what a command wrote; at a terminal everything is standard output.
type Output struct {
	Stderr bool
	Data   []byte
}

// Terminal is a running command. Writing types into it.
type Terminal struct {
	conn   *websocket.Conn
	target socket.Target
	tty    bool
	exited chan struct{}
	once   sync.Once
	code   int
	lost   atomic.Int64
}

// Shell starts a command (a shell when none is given) and connects to it; Close hangs it up.
func Shell(ctx context.Context, sandbox *openmiosa.Sandbox, options *Options) (*Terminal, error) {
	if options == nil {
		options = &Options{}
	}
	target, err := socket.Of(sandbox, "terminal", "stream")
	if err != nil {
		return nil, err
	}
	refusal := &refusalReader{next: target.HTTP.Transport}
	carrier := *target.HTTP
	carrier.Transport = refusal
	conn, _, err := websocket.Dial(ctx, target.URL+"?"+options.query(), &websocket.DialOptions{HTTPClient: &carrier, HTTPHeader: target.Header})
	if err != nil {
		if refusal.response != nil {
			return nil, target.Refused(refusal.response, refusal.body)
		}
		return nil, target.Failed(err, false)
	}
	conn.SetReadLimit(longestMessage)
	return &Terminal{conn: conn, target: target, tty: !options.NoTTY, exited: make(chan struct{})}, nil
}

// Write types into it.
func (t *Terminal) Write(text []byte) (int, error) {
	if err := t.conn.Write(context.Background(), websocket.MessageBinary, text); err != nil {
		return 0, t.target.Failed(err, true)
	}
	return len(text), nil
}

// Resize tells it the size of the window.
func (t *Terminal) Resize(ctx context.Context, rows, cols int) error {
	return t.say(ctx, map[string]any{"type": "resize", "rows": rows, "cols": cols})
}

// Signal sends a signal by name, such as SIGINT.
func (t *Terminal) Signal(ctx context.Context, name string) error {
	return t.say(ctx, map[string]any{"type": "signal", "signal": name})
}

// CloseStdin says that nothing more will be typed.
func (t *Terminal) CloseStdin(ctx context.Context) error {
	return t.say(ctx, map[string]any{"type": "stdin_close"})
}

// Output gives what the command writes, until it has ended; then ExitCode is known. Ending the context ends the connection.
func (t *Terminal) Output(ctx context.Context) iter.Seq2[Output, error] {
	return func(yield func(Output, error) bool) {
		for !t.over() {
			kind, message, err := t.conn.Read(ctx)
			if err != nil {
				yield(Output{}, t.broken(ctx, err))
				return
			}
			if kind == websocket.MessageText {
				t.control(message)
				continue
			}
			if !yield(t.read(message), nil) {
				return
			}
		}
	}
}

// Copy writes what the command writes, until it has ended, and gives its exit code.
func (t *Terminal) Copy(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	for output, err := range t.Output(ctx) {
		if err != nil {
			return 0, err
		}
		into := stdout
		if output.Stderr {
			into = stderr
		}
		if _, err := into.Write(output.Data); err != nil {
			return 0, err
		}
	}
	return t.code, nil
}

// Wait lets the command run to its end, dropping what it writes, and gives its exit code.
func (t *Terminal) Wait(ctx context.Context) (int, error) { return t.Copy(ctx, io.Discard, io.Discard) }

// ExitCode is how the command ended; false while that is not known.
func (t *Terminal) ExitCode() (int, bool) {
	if !t.over() {
		return 0, false
	}
	return t.code, true
}

// Lost is how many bytes of its output came faster than they were read, and could not be kept by the server.
func (t *Terminal) Lost() int64 { return t.lost.Load() }

// Close hangs it up; a command that still runs is ended. It does not fail: whoever closes first, the connection is closed.
func (t *Terminal) Close() error {
	if t.over() {
		_ = t.conn.Close(websocket.StatusNormalClosure, "")
	} else {
		_ = t.conn.CloseNow()
	}
	return nil
}

func (t *Terminal) say(ctx context.Context, message map[string]any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if err := t.conn.Write(ctx, websocket.MessageText, text); err != nil {
		return t.target.Failed(err, true)
	}
	return nil
}

func (t *Terminal) control(message []byte) {
	var said struct {
		Type     string `json:"type"`
		ExitCode *int   `json:"exit_code"`
		// From and To are where a gap in the output begins and ends.
		From int64 `json:"from"`
		To   int64 `json:"to"`
	}
	if json.Unmarshal(message, &said) != nil {
		return
	}
	if said.Type == "gap" {
		t.lost.Add(said.To - said.From)
	}
	if said.Type != "exit" {
		return
	}
	t.once.Do(func() {
		if said.ExitCode != nil {
			t.code = *said.ExitCode
		}
		close(t.exited)
	})
}

func (t *Terminal) read(message []byte) Output {
	if t.tty || len(message) == 0 {
		return Output{Data: message}
	}
	return Output{Stderr: message[0] == stderrMark, Data: message[1:]}
}

// over says whether the command has ended.
func (t *Terminal) over() bool {
	select {
	case <-t.exited:
		return true
	default:
		return false
	}
}

// broken is the error of a connection that ended before the command did.
func (t *Terminal) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	return t.target.Failed(err, true)
}

// query spells the options; lists are repeated.
func (o *Options) query() string {
	query := url.Values{"tty": {strconv.FormatBool(!o.NoTTY)}, "rows": {number(o.Rows, 24)}, "cols": {number(o.Cols, 80)}}
	if o.Command != "" {
		query.Set("command", o.Command)
	}
	if o.Dir != "" {
		query.Set("cwd", o.Dir)
	}
	for _, argument := range o.Args {
		query.Add("argv", argument)
	}
	for name, value := range o.Env {
		query.Add("env", name+"="+value)
	}
	return query.Encode()
}

func number(given, usual int) string {
	if given == 0 {
		given = usual
	}
	return strconv.Itoa(given)
}

// refusalReader keeps the whole answer to an upgrade that was refused; the WebSocket library keeps its first kilobyte.
type refusalReader struct {
	next     http.RoundTripper
	response *http.Response
	body     []byte
}

// RoundTrip asks on, and reads an answer that is no upgrade.
func (r *refusalReader) RoundTrip(request *http.Request) (*http.Response, error) {
	next := r.next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(request)
	if err != nil || response.StatusCode == http.StatusSwitchingProtocols {
		return response, err
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, longestRefusal))
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	r.response, r.body = response, body
	return response, nil
}
