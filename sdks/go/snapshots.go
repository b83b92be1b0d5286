package openmiosa

import (
	"context"
	"net/http"
)

// Snapshots has the stored states of a sandbox's file system.
type Snapshots struct{ scope scope }

// CreateSnapshotOptions says what a snapshot is for and how long it is kept: for good, unless its sandbox's metadata says
// otherwise.
type CreateSnapshotOptions struct {
	Comment string `json:"comment"`
	// Keep keeps it whatever the sandbox's metadata says; RetentionSeconds lets it end.
	Keep             bool           `json:"keep"`
	RetentionSeconds int            `json:"retention_seconds"`
	Extra            map[string]any `json:"-"`
}

// Create stores the file system as it is now.
func (s *Snapshots) Create(ctx context.Context, options *CreateSnapshotOptions) (*SnapshotInfo, error) {
	body, err := s.scope.inside(ctx, http.MethodPost, nil, given(options), "snapshots")
	return recordOf[SnapshotInfo](body, err)
}

// List gives what is stored.
func (s *Snapshots) List(ctx context.Context) ([]SnapshotInfo, error) {
	body, err := s.scope.inside(ctx, http.MethodGet, nil, nil, "snapshots")
	return recordsOf[SnapshotInfo](body, err)
}

// Restore makes a new sandbox that starts from a snapshot.
func (s *Snapshots) Restore(ctx context.Context, snapshotID string) (*Sandbox, error) {
	body, err := s.scope.inside(ctx, http.MethodPost, nil, object{}, "restore", snapshotID)
	info, err := recordOf[SandboxInfo](body, err)
	if err != nil {
		return nil, err
	}
	return sandboxOf(s.scope.transport, info), nil
}

// Delete forgets a snapshot.
func (s *Snapshots) Delete(ctx context.Context, snapshotID string) error {
	_, err := s.scope.inside(ctx, http.MethodDelete, nil, nil, "snapshots", snapshotID)
	return err
}
