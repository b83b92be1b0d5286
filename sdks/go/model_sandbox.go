// Records of sandboxes, their snapshots, previews, variables and templates.

package openmiosa

import "time"

// ResourceContract is how large a sandbox is.
type ResourceContract struct {
	Record     `json:"-"`
	ID         string  `json:"id"`
	Version    string  `json:"version"`
	Product    string  `json:"product"`
	Size       string  `json:"size"`
	VCPUs      float64 `json:"vcpus"`
	MemoryMB   int     `json:"memory_mb"`
	DiskSizeMB int     `json:"disk_size_mb"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *ResourceContract) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r ResourceContract) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// SandboxInfo is what the server knows of a sandbox.
type SandboxInfo struct {
	Record              `json:"-"`
	ID                  string            `json:"id" required:"true"`
	Name                string            `json:"name"`
	State               string            `json:"state"`
	StateReason         string            `json:"state_reason"`
	Ready               bool              `json:"ready"`
	TemplateID          string            `json:"template_id"`
	Slug                string            `json:"slug"`
	Size                string            `json:"size"`
	CPUCount            float64           `json:"cpu_count"`
	MemoryMB            int               `json:"memory_mb"`
	DiskSizeMB          int               `json:"disk_size_mb"`
	TimeoutSec          int               `json:"timeout_sec"`
	IdleTimeoutSec      int               `json:"idle_timeout_sec"`
	Persistent          bool              `json:"persistent"`
	AlwaysOn            bool              `json:"always_on"`
	ResourceContract    *ResourceContract `json:"resource_contract"`
	TimeoutRemainingMS  int               `json:"timeout_remaining_ms"`
	Tags                []string          `json:"tags"`
	EnvNames            []string          `json:"env_names"`
	Metadata            map[string]any    `json:"metadata"`
	TenantID            string            `json:"tenant_id"`
	WorkspaceID         string            `json:"workspace_id"`
	OwnerUserID         string            `json:"owner_user_id"`
	ExternalUserID      string            `json:"external_user_id"`
	ExternalWorkspaceID string            `json:"external_workspace_id"`
	ExternalProjectID   string            `json:"external_project_id"`
	BootMS              int               `json:"boot_ms"`
	CreatedAt           time.Time         `json:"created_at"`
	UpdatedAt           time.Time         `json:"updated_at"`
	StartedAt           time.Time         `json:"started_at"`
	ReadyAt             time.Time         `json:"ready_at"`
	DestroyedAt         time.Time         `json:"destroyed_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *SandboxInfo) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r SandboxInfo) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// SnapshotInfo is a stored state of a sandbox's file system.
type SnapshotInfo struct {
	Record    `json:"-"`
	ID        string    `json:"id" required:"true"`
	SandboxID string    `json:"sandbox_id"`
	State     string    `json:"state"`
	Comment   string    `json:"comment"`
	SizeBytes int64     `json:"size_bytes"`
	Keep      bool      `json:"keep"`
	ExpiresAt time.Time `json:"expires_at"`
	CreatedAt time.Time `json:"created_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *SnapshotInfo) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r SnapshotInfo) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Preview is a port of the sandbox, reachable at URL on the server's own machine.
type Preview struct {
	Record    `json:"-"`
	ID        string    `json:"id" required:"true"`
	SandboxID string    `json:"sandbox_id"`
	URL       string    `json:"url" required:"true"`
	Port      int       `json:"port" required:"true"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Preview) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Preview) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Variable is a variable of the sandbox's environment; its agent can read it, so it is no place for a secret.
type Variable struct {
	Record    `json:"-"`
	Key       string `json:"key" required:"true"`
	Value     string `json:"value"`
	Encrypted bool   `json:"encrypted"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Variable) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Variable) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Readiness is whether commands can run in a sandbox, and what each of its parts says.
type Readiness struct {
	Record     `json:"-"`
	ID         string         `json:"id"`
	State      string         `json:"state"`
	Ready      bool           `json:"ready"`
	Status     string         `json:"status"`
	Reason     string         `json:"reason"`
	Components map[string]any `json:"components"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Readiness) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Readiness) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Template is what a sandbox's file system starts from.
type Template struct {
	Record    `json:"-"`
	ID        string    `json:"id" required:"true"`
	Layers    int       `json:"layers"`
	Packages  []string  `json:"packages"`
	Python    string    `json:"python"`
	CreatedAt time.Time `json:"created_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Template) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Template) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }
