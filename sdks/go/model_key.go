// Records of API keys, of who is asking, and of what was done with keys.

package openmiosa

import (
	"encoding/json"
	"time"
)

// APIKey is a key of this API. Token is there once, in the reply to its creation, and never printed.
type APIKey struct {
	Record         `json:"-"`
	ID             string         `json:"id" required:"true"`
	Name           string         `json:"name"`
	Prefix         string         `json:"prefix"`
	Scopes         []string       `json:"scopes"`
	Kind           string         `json:"kind"`
	ExternalUserID string         `json:"external_user_id"`
	TenantID       string         `json:"tenant_id"`
	ParentID       string         `json:"parent_id"`
	Description    string         `json:"description"`
	Metadata       map[string]any `json:"metadata"`
	IPAllowlist    []string       `json:"ip_allowlist"`
	Status         string         `json:"status"`
	RotatedAt      time.Time      `json:"rotated_at"`
	ExpiresAt      time.Time      `json:"expires_at"`
	LastUsedAt     time.Time      `json:"last_used_at"`
	CreatedAt      time.Time      `json:"created_at"`
	Token          string         `json:"token"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *APIKey) UnmarshalJSON(data []byte) error {
	if err := readRecord(data, r, &r.Record); err != nil {
		return err
	}
	// Servers call the plaintext token, or key, or both.
	if key, found := r.Extra["key"]; found && r.Token == "" {
		return json.Unmarshal(key, &r.Token)
	}
	return nil
}

// MarshalJSON writes back all that came.
func (r APIKey) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Identity is whom the server takes this client for.
type Identity struct {
	Record         `json:"-"`
	TenantID       string   `json:"tenant_id"`
	KeyID          string   `json:"key_id"`
	Name           string   `json:"name"`
	Scopes         []string `json:"scopes"`
	ExternalUserID string   `json:"external_user_id"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Identity) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Identity) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// ScopedToken is a token that was derived from a key for a short while; it is never printed.
type ScopedToken struct {
	Record      `json:"-"`
	ID          string    `json:"id"`
	UserID      string    `json:"user_id"`
	WorkspaceID string    `json:"workspace_id"`
	Token       string    `json:"token" required:"true"`
	Scopes      []string  `json:"scopes"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *ScopedToken) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r ScopedToken) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// Ticket opens one event stream, once and soon: for a browser's EventSource, which can send no key. It is never printed.
type Ticket struct {
	Record    `json:"-"`
	Ticket    string `json:"ticket" required:"true"`
	ExpiresIn int    `json:"expires_in"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *Ticket) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r Ticket) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// KeyPreset is a named set of scopes that keys can be made with.
type KeyPreset struct {
	Record      `json:"-"`
	Name        string    `json:"name" required:"true"`
	Scopes      []string  `json:"scopes"`
	Description string    `json:"description"`
	Builtin     bool      `json:"builtin"`
	CreatedAt   time.Time `json:"created_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *KeyPreset) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r KeyPreset) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// AdminEntry is one administrative act, allowed or refused: who did what to which thing, from where.
type AdminEntry struct {
	Record       `json:"-"`
	ID           string         `json:"id" required:"true"`
	TenantID     string         `json:"tenant_id"`
	ActorID      string         `json:"actor_id"`
	ActorType    string         `json:"actor_type"`
	Action       string         `json:"action"`
	Outcome      string         `json:"outcome"`
	ResourceType string         `json:"resource_type"`
	ResourceID   string         `json:"resource_id"`
	Metadata     map[string]any `json:"metadata"`
	IPAddress    string         `json:"ip_address"`
	RequestID    string         `json:"request_id"`
	CreatedAt    time.Time      `json:"created_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *AdminEntry) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r AdminEntry) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// String leaves out the token.
func (r APIKey) String() string { return described(r, "Token") }

// GoString is String.
func (r APIKey) GoString() string { return r.String() }

// String leaves out the token.
func (r ScopedToken) String() string { return described(r, "Token") }

// GoString is String.
func (r ScopedToken) GoString() string { return r.String() }

// String leaves out the ticket.
func (r Ticket) String() string { return described(r, "Ticket") }

// GoString is String.
func (r Ticket) GoString() string { return r.String() }
