package openmiosa

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"
)

// processPoll is the pause between two looks at a process that is waited for.
const processPoll = 100 * time.Millisecond

// Processes has the processes in the background of a sandbox.
type Processes struct{ scope scope }

// Start starts a command and returns at once.
func (p *Processes) Start(ctx context.Context, command Command) (*Process, error) {
	path, err := pathOf("sandboxes", p.scope.sandbox, "processes")
	if err != nil {
		return nil, err
	}
	// A second start would be a second process.
	wanted := call{method: http.MethodPost, path: path, body: given(command), failedOnce: true}
	body, err := p.scope.transport.request(ctx, wanted)
	return recordOf[Process](body, err)
}

// List gives all of them, ended ones too while they are remembered.
func (p *Processes) List(ctx context.Context) ([]Process, error) {
	body, err := p.scope.inside(ctx, http.MethodGet, nil, nil, "processes")
	return recordsOf[Process](body, err)
}

// Get gives one of them.
func (p *Processes) Get(ctx context.Context, pid int) (*Process, error) {
	body, err := p.scope.inside(ctx, http.MethodGet, nil, nil, "processes", strconv.Itoa(pid))
	return recordOf[Process](body, err)
}

// Stop ends one: TERM, and KILL when it does not go.
func (p *Processes) Stop(ctx context.Context, pid int) error {
	_, err := p.scope.inside(ctx, http.MethodDelete, nil, nil, "processes", strconv.Itoa(pid))
	return err
}

// Logs gives the last lines of its output, 200 when lines is 0.
func (p *Processes) Logs(ctx context.Context, pid, lines int) (string, error) {
	if lines == 0 {
		lines = 200
	}
	body, err := p.scope.inside(ctx, http.MethodGet, object{"tail": lines}, nil, "processes", strconv.Itoa(pid), "logs")
	if err != nil {
		return "", err
	}
	return logText(body), nil
}

// Stream gives its output line by line, until it ends.
func (p *Processes) Stream(ctx context.Context, pid int) iter.Seq2[string, error] {
	return p.scope.lines(ctx, "processes", strconv.Itoa(pid), "stream")
}

// Wait returns when it has ended; the context says how long that may take.
func (p *Processes) Wait(ctx context.Context, pid int) (*Process, error) {
	for {
		process, err := p.Get(ctx, pid)
		if err == nil && process.ExitCode != nil {
			return process, nil
		}
		if err := between(ctx, processPoll, err, "process %d is still running", pid); err != nil {
			return nil, err
		}
	}
}
