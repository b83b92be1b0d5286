package openmiosa

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// execSilence is how long a running command's connection bears silence. The server says something at least every 20 s: blanks
// before an answer, comments in a stream.
const execSilence = time.Minute

// Command is what to run, and around it. Shell and Args make the usual ones.
type Command struct {
	// Line goes to a shell; Args are run as they are, without one. One of the two is given.
	Line string   `json:"command"`
	Args []string `json:"argv"`
	// Dir is the folder that it runs in, /workspace by default.
	Dir string            `json:"cwd"`
	Env map[string]string `json:"env"`
	// Stdin is what it reads.
	Stdin string `json:"stdin"`
	// Timeout is how long it may run; the server ends it.
	Timeout time.Duration `json:"timeout"`
	// Name is what a process in the background is called.
	Name string `json:"name"`
}

// Shell is a command line for the sandbox's shell.
func Shell(line string) Command { return Command{Line: line} }

// Args is a program with its arguments, which no shell reads.
func Args(program string, arguments ...string) Command {
	return Command{Args: append([]string{program}, arguments...)}
}

// Exec runs commands in a sandbox.
type Exec struct{ scope scope }

// Run runs a command to its end. One that does not exit with 0 is a result, not an error; result.Check makes it one.
func (e *Exec) Run(ctx context.Context, command Command) (*ExecResult, error) {
	path, err := pathOf("sandboxes", e.scope.sandbox, "exec")
	if err != nil {
		return nil, err
	}
	// Answers of commands are not remembered for a repeat, so it is not repeated once it may have started.
	wanted := call{method: http.MethodPost, path: path, body: given(command), silence: execSilence, once: true}
	body, err := e.scope.transport.request(ctx, wanted)
	if err != nil {
		return nil, err
	}
	record, err := single(body)
	if err != nil {
		return nil, err
	}
	var late struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(record, &late) == nil && isObject(late.Error) {
		// What went wrong after the status was sent stands beside a result that is none.
		return nil, apiError(500, record, nil)
	}
	return recordOf[ExecResult](body, nil)
}

// Stream runs a command and gives its output as it comes; the last event is its exit. Ending the loop ends the command.
func (e *Exec) Stream(ctx context.Context, command Command) iter.Seq2[OutputEvent, error] {
	path, err := pathOf("sandboxes", e.scope.sandbox, "exec", "stream")
	if err != nil {
		return failing[OutputEvent](err)
	}
	wanted := call{method: http.MethodPost, path: path, body: given(command), silence: execSilence, once: true}
	return func(yield func(OutputEvent, error) bool) {
		for frame, err := range e.scope.transport.frames(ctx, wanted) {
			if err != nil {
				yield(OutputEvent{}, err)
				return
			}
			event, found := outputOf(frame)
			if found && (!yield(event, nil) || event.Type == "exit") {
				return
			}
		}
		yield(OutputEvent{}, &TransportError{
			Kind: ErrConnectionLost, Sent: true, Message: "the stream ended before the command did; it may still be running",
		})
	}
}

// said is what a frame of a command's stream says.
type said struct {
	Type     string          `json:"type"`
	Line     *string         `json:"line"`
	Partial  bool            `json:"partial"`
	Gap      json.RawMessage `json:"gap"`
	ExitCode *float64        `json:"exit_code"`
}

// outputOf reads a frame; false for what is neither output nor the end.
func outputOf(one frame) (OutputEvent, bool) {
	var read said
	if json.Unmarshal([]byte(one.data), &read) != nil {
		return OutputEvent{}, false
	}
	kind := read.Type
	if kind == "" {
		kind = one.event
	}
	switch kind {
	case "exit":
		event := OutputEvent{Type: kind}
		if read.ExitCode != nil {
			event.ExitCode = int(*read.ExitCode)
		}
		return event, true
	case "stdout", "stderr":
		event := OutputEvent{Type: kind}
		if read.Line != nil {
			event.Data = *read.Line
		}
		// A line has lost its line end, unless it is a part of one.
		if !read.Partial && read.Gap == nil {
			event.Data += "\n"
		}
		return event, true
	}
	return OutputEvent{}, false
}

// lines follows a stream of lines below the sandbox's own path.
func (s scope) lines(ctx context.Context, segments ...string) iter.Seq2[string, error] {
	path, err := pathOf(append([]string{"sandboxes", s.sandbox}, segments...)...)
	if err != nil {
		return failing[string](err)
	}
	return func(yield func(string, error) bool) {
		for frame, err := range s.transport.frames(ctx, call{method: http.MethodGet, path: path, silence: execSilence}) {
			if err != nil {
				yield("", err)
				return
			}
			var read said
			if json.Unmarshal([]byte(frame.data), &read) == nil && read.Line != nil && !yield(*read.Line, nil) {
				return
			}
		}
	}
}
