// Records of the network: policies, their rules, and hosts that were seen.

package openmiosa

import "time"

// Rule is a host that may, or may not, be called.
type Rule struct {
	Record       `json:"-"`
	ID           string    `json:"id" required:"true"`
	Host         string    `json:"host" required:"true"`
	Effect       string    `json:"effect"`
	Port         int       `json:"port"`
	Methods      []string  `json:"methods"`
	PathGlob     string    `json:"path_glob"`
	PolicyID     string    `json:"policy_id"`
	ResourceID   string    `json:"resource_id"`
	ResourceType string    `json:"resource_type"`
	Note         string    `json:"note"`
	CreatedAt    time.Time `json:"created_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Rule) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Rule) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Policy is what a sandbox may call: in mode audit_only everything is recorded and passes, in mode enforce only the rules pass.
type Policy struct {
	Record        `json:"-"`
	ID            string    `json:"id" required:"true"`
	Name          string    `json:"name"`
	Mode          string    `json:"mode"`
	DefaultEffect string    `json:"default_effect"`
	ResourceID    string    `json:"resource_id"`
	ResourceType  string    `json:"resource_type"`
	Description   string    `json:"description"`
	Rules         []Rule    `json:"rules"`
	AllowRules    []Rule    `json:"allow_rules"`
	DenyRules     []Rule    `json:"deny_rules"`
	LockedAt      time.Time `json:"locked_at"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Policy) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Policy) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Suggestion is a host that was called, with counts: what a lockdown would have to allow.
type Suggestion struct {
	Record       `json:"-"`
	Host         string    `json:"host" required:"true"`
	Port         int       `json:"port"`
	Methods      []string  `json:"methods"`
	PathGlob     string    `json:"path_glob"`
	Count        int       `json:"count"`
	DeniedCount  int       `json:"denied_count"`
	FirstSeen    time.Time `json:"first_seen"`
	LastSeen     time.Time `json:"last_seen"`
	Reason       string    `json:"reason"`
	Secret       string    `json:"secret"`
	ResourceID   string    `json:"resource_id"`
	ResourceType string    `json:"resource_type"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Suggestion) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Suggestion) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// PendingHost is a host that was refused since the lockdown, or a secret that waits for a host, until someone decides.
type PendingHost struct {
	Record       `json:"-"`
	Host         string    `json:"host" required:"true"`
	Port         int       `json:"port"`
	Methods      []string  `json:"methods"`
	PathGlob     string    `json:"path_glob"`
	Count        int       `json:"count"`
	DeniedCount  int       `json:"denied_count"`
	FirstSeen    time.Time `json:"first_seen"`
	LastSeen     time.Time `json:"last_seen"`
	Reason       string    `json:"reason"`
	Secret       string    `json:"secret"`
	ResourceID   string    `json:"resource_id"`
	ResourceType string    `json:"resource_type"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *PendingHost) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r PendingHost) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }
