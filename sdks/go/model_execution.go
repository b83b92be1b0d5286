// Records of commands and processes.

package openmiosa

import "time"

// ExecResult is how a command ended, and what it wrote.
type ExecResult struct {
	Record     `json:"-"`
	Stdout     string  `json:"stdout"`
	Stderr     string  `json:"stderr"`
	ExitCode   int     `json:"exit_code"`
	Signal     int     `json:"signal"`
	TimedOut   bool    `json:"timed_out"`
	Truncated  bool    `json:"truncated"`
	DurationMS float64 `json:"duration_ms"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *ExecResult) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r ExecResult) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Process is a process in the background of a sandbox. ExitCode is nil while it runs.
type Process struct {
	Record     `json:"-"`
	PID        int       `json:"pid" required:"true"`
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Command    string    `json:"command"`
	Status     string    `json:"status"`
	ExitCode   *int      `json:"exit_code"`
	Signal     int       `json:"signal"`
	TimedOut   bool      `json:"timed_out"`
	DurationMS float64   `json:"duration_ms"`
	StartedAt  time.Time `json:"started_at"`
	EndedAt    time.Time `json:"ended_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Process) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Process) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// OK says whether the command exited with 0.
func (r *ExecResult) OK() bool { return r.ExitCode == 0 }

// Check gives a *CommandFailedError when the command did not exit with 0.
func (r *ExecResult) Check() error {
	if r.OK() {
		return nil
	}
	return &CommandFailedError{Result: r}
}

// OutputEvent is a piece of a running command's output, or (last) its end: then Type is "exit" and ExitCode is set.
type OutputEvent struct {
	// Type is "stdout", "stderr" or "exit".
	Type string
	// Data has the line with its line end, unless it is a part of one.
	Data     string
	ExitCode int
}
