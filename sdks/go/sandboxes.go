package openmiosa

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
)

// Sandboxes has the sandboxes of this key's tenant.
type Sandboxes struct{ transport *transport }

// CreateSandboxOptions says what a sandbox shall be like; the zero value is a good one.
type CreateSandboxOptions struct {
	// Template is what the file system starts from; client.Templates lists those there are.
	Template string `json:"template_id"`
	// SnapshotID is a snapshot that it starts from instead.
	SnapshotID string            `json:"snapshot_id"`
	Env        map[string]string `json:"env"`
	Metadata   map[string]any    `json:"metadata"`
	Tags       []string          `json:"tags"`
	// Size is xs, small, medium, large or xl.
	Size       string  `json:"size"`
	CPUCount   float64 `json:"cpu_count"`
	MemoryMB   int     `json:"memory_mb"`
	DiskSizeMB int     `json:"disk_size_mb"`
	// TimeoutSec pauses the sandbox that long after its start, IdleTimeoutSec after its last use.
	TimeoutSec          int    `json:"timeout_sec"`
	IdleTimeoutSec      int    `json:"idle_timeout_sec"`
	Persistent          *bool  `json:"persistent"`
	AlwaysOn            *bool  `json:"always_on"`
	Slug                string `json:"slug"`
	WorkspaceID         string `json:"workspace_id"`
	OwnerUserID         string `json:"owner_user_id"`
	ExternalUserID      string `json:"external_user_id"`
	ExternalWorkspaceID string `json:"external_workspace_id"`
	ExternalProjectID   string `json:"external_project_id"`
	// NoWait returns before the sandbox is ready; WaitUntilReady waits later.
	NoWait bool `json:"-"`
	// Extra passes fields through that have no name here.
	Extra map[string]any `json:"-"`
}

// ListSandboxesOptions narrows a list.
type ListSandboxesOptions struct {
	State               string   `json:"state"`
	Tags                []string `json:"tags"`
	ExternalUserID      string   `json:"external_user_id"`
	ExternalWorkspaceID string   `json:"external_workspace_id"`
	ExternalProjectID   string   `json:"external_project_id"`
	// Limit is the size of a page.
	Limit int            `json:"limit"`
	Extra map[string]any `json:"-"`
}

// Create makes a sandbox, which runs when this returns. An empty name lets the server choose one.
func (s *Sandboxes) Create(ctx context.Context, name string, options *CreateSandboxOptions) (*Sandbox, error) {
	wanted := given(options)
	if name != "" {
		wanted["name"] = name
	}
	wait := options == nil || !options.NoWait
	query := object{}
	if wait {
		query["wait"] = true
	}
	sandbox, err := s.take(ctx, call{method: http.MethodPost, path: "sandboxes", query: query, body: wanted})
	if err != nil || !wait {
		return sandbox, err
	}
	return sandbox, sandbox.WaitUntilReady(ctx)
}

// Get finds the sandbox with this id or name.
func (s *Sandboxes) Get(ctx context.Context, idOrName string) (*Sandbox, error) {
	path, err := pathOf("sandboxes", idOrName)
	if err != nil {
		return nil, err
	}
	return s.take(ctx, call{method: http.MethodGet, path: path})
}

// GetByName finds the sandbox with this name.
func (s *Sandboxes) GetByName(ctx context.Context, name string) (*Sandbox, error) {
	path, err := pathOf("sandboxes", "by-name", name)
	if err != nil {
		return nil, err
	}
	return s.take(ctx, call{method: http.MethodGet, path: path})
}

// GetOrCreate finds the sandbox with this name, and resumes it if it is paused; where there is none it is made.
func (s *Sandboxes) GetOrCreate(ctx context.Context, name string, options *CreateSandboxOptions) (*Sandbox, error) {
	sandbox, err := s.GetByName(ctx, name)
	if errors.Is(err, ErrNotFound) {
		sandbox, err = s.Create(ctx, name, options)
		if !errors.Is(err, ErrNameTaken) {
			return sandbox, err
		}
		// Someone else made it between the two calls.
		sandbox, err = s.GetByName(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	if sandbox.State() == "paused" {
		if err := sandbox.Resume(ctx); err != nil {
			return nil, err
		}
	}
	if options != nil && options.NoWait {
		return sandbox, nil
	}
	return sandbox, sandbox.WaitUntilReady(ctx)
}

// List gives the sandboxes, newest first.
func (s *Sandboxes) List(ctx context.Context, options *ListSandboxesOptions) iter.Seq2[*Sandbox, error] {
	return pages(ctx, s.transport, "sandboxes", given(options), func(raw json.RawMessage) (*Sandbox, error) {
		info, err := readAs[SandboxInfo](raw)
		if err != nil {
			return nil, err
		}
		return sandboxOf(s.transport, &info), nil
	})
}

// Delete destroys a sandbox.
func (s *Sandboxes) Delete(ctx context.Context, idOrName string) error {
	_, err := scope{transport: s.transport}.call(ctx, http.MethodDelete, nil, nil, "sandboxes", idOrName)
	return err
}

func (s *Sandboxes) take(ctx context.Context, wanted call) (*Sandbox, error) {
	body, err := s.transport.request(ctx, wanted)
	info, err := recordOf[SandboxInfo](body, err)
	if err != nil {
		return nil, err
	}
	return sandboxOf(s.transport, info), nil
}
