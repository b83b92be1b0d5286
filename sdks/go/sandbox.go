package openmiosa

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"time"
)

const (
	// readyLimit is how long a sandbox is waited for when the context does not say.
	readyLimit = time.Minute
	// readyPoll is the pause between two looks where a stream did not say that a sandbox is ready.
	readyPoll = 100 * time.Millisecond
)

// Sandbox is one sandbox. `defer sandbox.Destroy(ctx)` ends it with the function that made it.
type Sandbox struct {
	Exec      *Exec
	Processes *Processes
	Files     *Files
	Env       *Env
	Snapshots *Snapshots
	Previews  *Previews
	Secrets   *Secrets
	Network   *Network
	Audit     *Audit

	scope scope
	lock  sync.Mutex
	info  *SandboxInfo
}

// UpdateSandboxOptions says what changes of a sandbox; what is nil or empty stays.
type UpdateSandboxOptions struct {
	Name           string         `json:"name"`
	Slug           string         `json:"slug"`
	Tags           []string       `json:"tags"`
	Metadata       map[string]any `json:"metadata"`
	AlwaysOn       *bool          `json:"always_on"`
	TimeoutSec     *int           `json:"timeout_sec"`
	IdleTimeoutSec *int           `json:"idle_timeout_sec"`
	Extra          map[string]any `json:"-"`
}

// ForkOptions says which of its snapshots a fork starts from (its files as they are when it does not), and what the fork has
// of its own.
type ForkOptions struct {
	SnapshotID          string            `json:"snapshot_id"`
	Name                string            `json:"name"`
	Template            string            `json:"template_id"`
	TimeoutSec          int               `json:"timeout_sec"`
	IdleTimeoutSec      int               `json:"idle_timeout_sec"`
	Env                 map[string]string `json:"env"`
	Metadata            map[string]any    `json:"metadata"`
	Tags                []string          `json:"tags"`
	ExternalUserID      string            `json:"external_user_id"`
	ExternalWorkspaceID string            `json:"external_workspace_id"`
	ExternalProjectID   string            `json:"external_project_id"`
	Extra               map[string]any    `json:"-"`
}

func sandboxOf(t *transport, info *SandboxInfo) *Sandbox {
	own := scope{transport: t, sandbox: info.ID}
	return &Sandbox{
		Exec:      &Exec{own},
		Processes: &Processes{own},
		Files:     &Files{own},
		Env:       &Env{own},
		Snapshots: &Snapshots{own},
		Previews:  &Previews{own},
		Secrets:   &Secrets{own},
		Network:   &Network{own},
		Audit:     &Audit{own},
		scope:     own,
		info:      info,
	}
}

// ID is its id, for ever the same.
func (s *Sandbox) ID() string { return s.scope.sandbox }

// Name is its name.
func (s *Sandbox) Name() string { return s.Info().Name }

// State is its state when this handle last heard of it; Refresh asks again.
func (s *Sandbox) State() string { return s.Info().State }

// Info is all that this handle last heard of it.
func (s *Sandbox) Info() SandboxInfo {
	s.lock.Lock()
	defer s.lock.Unlock()
	return *s.info
}

// Refresh asks the server for the state of things.
func (s *Sandbox) Refresh(ctx context.Context) error { return s.take(ctx, http.MethodGet, nil) }

// Pause stops its processes where they are.
func (s *Sandbox) Pause(ctx context.Context) error {
	return s.take(ctx, http.MethodPost, object{}, "pause")
}

// Resume lets its processes go on.
func (s *Sandbox) Resume(ctx context.Context) error {
	return s.take(ctx, http.MethodPost, object{}, "resume")
}

// Stop keeps its files and lets it take no more processor time; Resume brings it back.
func (s *Sandbox) Stop(ctx context.Context) error {
	return s.take(ctx, http.MethodPost, object{}, "stop")
}

// Extend lets it live this much longer, counted from now.
func (s *Sandbox) Extend(ctx context.Context, longer time.Duration) error {
	return s.take(ctx, http.MethodPost, object{"timeout_sec": int(longer.Seconds())}, "extend")
}

// Update changes its name, tags, metadata or timeouts.
func (s *Sandbox) Update(ctx context.Context, options UpdateSandboxOptions) error {
	return s.take(ctx, http.MethodPatch, given(options))
}

// SetTags replaces its tags.
func (s *Sandbox) SetTags(ctx context.Context, tags ...string) error {
	return s.take(ctx, http.MethodPatch, object{"tags": append([]string{}, tags...)}, "tags")
}

// Fork makes another sandbox that starts with the files of this one; processes, secrets and rules stay behind.
func (s *Sandbox) Fork(ctx context.Context, options *ForkOptions) (*Sandbox, error) {
	body, err := s.scope.inside(ctx, http.MethodPost, nil, given(options), "fork")
	info, err := recordOf[SandboxInfo](body, err)
	if err != nil {
		return nil, err
	}
	return sandboxOf(s.scope.transport, info), nil
}

// Destroy ends it with all that is in it; one that is gone already is no error. It does its work even if the context has
// been cancelled, so that a deferred call leaves nothing behind; then it takes ten seconds at most.
func (s *Sandbox) Destroy(ctx context.Context) error {
	if ctx.Err() != nil {
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		ctx = detached
	}
	_, err := s.scope.inside(ctx, http.MethodDelete, nil, nil)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Readiness says whether commands can run in it, and what its parts say.
func (s *Sandbox) Readiness(ctx context.Context) (*Readiness, error) {
	body, err := s.scope.inside(ctx, http.MethodGet, nil, nil, "readiness")
	return recordOf[Readiness](body, err)
}

// WaitUntilReady returns when commands can run in it. The context says how long that may take; a minute when it does not.
func (s *Sandbox) WaitUntilReady(ctx context.Context) error {
	ctx, cancel := patient(ctx, readyLimit)
	defer cancel()
	for {
		switch state := s.State(); state {
		case "running":
			return nil
		case "error", "failed", "destroyed":
			return failed(ErrSandboxFailed, "sandbox %s is %s %s: the server's log says why", s.ID(), state, s.Info().StateReason)
		}
		ready, err := s.saysReady(ctx)
		if err == nil {
			err = s.Refresh(ctx)
		}
		wait := readyPoll
		if ready {
			wait = 0
		}
		if err := between(ctx, wait, err, "sandbox %s is still %s", s.ID(), s.State()); err != nil {
			return err
		}
	}
}

// saysReady follows the stream of readiness until it says something. Where there is no such stream, looking is enough.
func (s *Sandbox) saysReady(ctx context.Context) (bool, error) {
	path, err := pathOf("sandboxes", s.ID(), "readiness", "stream")
	if err != nil {
		return false, err
	}
	for frame, err := range s.scope.transport.frames(ctx, call{method: http.MethodGet, path: path}) {
		if errors.Is(err, ErrNotFound) || (errors.Is(err, ErrTransport) && ctx.Err() == nil) {
			break
		}
		return frame.event == "ready", err
	}
	return false, nil
}

// Usage says how long it has lived, what it may use and what it has used.
func (s *Sandbox) Usage(ctx context.Context) (*Usage, error) {
	body, err := s.scope.inside(ctx, http.MethodGet, nil, nil, "usage")
	return recordOf[Usage](body, err)
}

// Metrics says what it uses just now.
func (s *Sandbox) Metrics(ctx context.Context) (*Metrics, error) {
	body, err := s.scope.inside(ctx, http.MethodGet, nil, nil, "metrics")
	return recordOf[Metrics](body, err)
}

// Resources says what it may use.
func (s *Sandbox) Resources(ctx context.Context) (*Resources, error) {
	body, err := s.scope.inside(ctx, http.MethodGet, nil, nil, "resources")
	return recordOf[Resources](body, err)
}

// Artifacts lists what it has made: the files that it offers as results, its snapshots and previews.
func (s *Sandbox) Artifacts(ctx context.Context) (*Artifacts, error) {
	body, err := s.scope.inside(ctx, http.MethodGet, nil, nil, "artifacts")
	return recordOf[Artifacts](body, err)
}

// Logs gives the last lines that its processes wrote, 200 when lines is 0.
func (s *Sandbox) Logs(ctx context.Context, lines int) (string, error) {
	query := object{}
	if lines > 0 {
		query["lines"] = lines
	}
	body, err := s.scope.inside(ctx, http.MethodGet, query, nil, "logs")
	if err != nil {
		return "", err
	}
	return logText(body), nil
}

// LogsStream gives what its processes write from now on, line by line.
func (s *Sandbox) LogsStream(ctx context.Context) iter.Seq2[string, error] {
	return s.scope.lines(ctx, "logs", "stream")
}

// String names it.
func (s *Sandbox) String() string {
	return fmt.Sprintf("openmiosa.Sandbox(%s, %s, %s)", s.ID(), plain(s.Name()), s.State())
}

// GoString is String.
func (s *Sandbox) GoString() string { return s.String() }

// take makes a call whose answer is the sandbox's record, and remembers it.
func (s *Sandbox) take(ctx context.Context, method string, wanted object, segments ...string) error {
	var sent any
	if wanted != nil {
		sent = wanted
	}
	body, err := s.scope.inside(ctx, method, nil, sent, segments...)
	info, err := recordOf[SandboxInfo](body, err)
	if err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.info = info
	return nil
}

// logText is the text of logs, bare or in an envelope.
func logText(body json.RawMessage) string {
	var text string
	if json.Unmarshal(body, &text) == nil {
		return text
	}
	var outer map[string]json.RawMessage
	if json.Unmarshal(body, &outer) == nil {
		for _, name := range []string{"data", "logs"} {
			if raw, found := outer[name]; found {
				return logText(raw)
			}
		}
	}
	return ""
}
