// Records of what a sandbox uses, may use, and has made.

package openmiosa

import "time"

// Calls are outbound calls, counted.
type Calls struct {
	Record   `json:"-"`
	Total    int   `json:"total"`
	Allowed  int   `json:"allowed"`
	Refused  int   `json:"refused"`
	Failed   int   `json:"failed"`
	BytesIn  int64 `json:"bytes_in"`
	BytesOut int64 `json:"bytes_out"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Calls) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Calls) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Usage is how long a sandbox has lived, what it has used and may use, and what it has called within a window.
type Usage struct {
	Record     `json:"-"`
	SandboxID  string    `json:"sandbox_id"`
	State      string    `json:"state"`
	StartedAt  time.Time `json:"started_at"`
	RunningSec int       `json:"running_sec"`
	Size       string    `json:"size"`
	VCPUs      float64   `json:"vcpus"`
	MemoryMB   int       `json:"memory_mb"`
	DiskSizeMB int       `json:"disk_size_mb"`
	CPUUsec    int64     `json:"cpu_usec"`
	Window     string    `json:"window"`
	Calls      *Calls    `json:"calls"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Usage) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Usage) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Metrics is what a sandbox uses just now, and what it has called within a window; CPUUsec counts from its start.
type Metrics struct {
	Record           `json:"-"`
	SandboxID        string  `json:"sandbox_id"`
	State            string  `json:"state"`
	CPUUsec          int64   `json:"cpu_usec"`
	MemoryBytes      int64   `json:"memory_bytes"`
	MemoryPeakBytes  int64   `json:"memory_peak_bytes"`
	Tasks            int     `json:"tasks"`
	RunningSec       int     `json:"running_sec"`
	CPUCount         float64 `json:"cpu_count"`
	MemoryLimitBytes int64   `json:"memory_limit_bytes"`
	Window           string  `json:"window"`
	Calls            *Calls  `json:"calls"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Metrics) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Metrics) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Limits are what a sandbox may use.
type Limits struct {
	Record     `json:"-"`
	CPU        float64 `json:"cpu"`
	MemoryMB   int     `json:"memory_mb"`
	DiskSizeMB int     `json:"disk_size_mb"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Limits) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Limits) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Resources is what a sandbox may use, and uses.
type Resources struct {
	Record    `json:"-"`
	ID        string   `json:"id"`
	Resources Limits   `json:"resources"`
	InUse     *Metrics `json:"in_use"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Resources) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Resources) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// MadeFiles are the files that a sandbox offers as results, and its snapshots.
type MadeFiles struct {
	Record    `json:"-"`
	Path      string         `json:"path"`
	Files     []FileInfo     `json:"files"`
	Snapshots []SnapshotInfo `json:"snapshots"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *MadeFiles) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r MadeFiles) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Artifacts is what a sandbox has made.
type Artifacts struct {
	Record    `json:"-"`
	SandboxID string    `json:"sandbox_id"`
	Artifacts MadeFiles `json:"artifacts"`
	Previews  []Preview `json:"previews"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Artifacts) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Artifacts) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }
